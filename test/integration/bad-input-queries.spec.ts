import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';

let api: TestApi;
let server: MinimalServer;
let ada: TestMember;
let stranger: TestMember;
let typeId: string;
let enrollmentId: string;
let callId: string;
let toolId: string;

beforeAll(async () => {
  api = await startTestApi();
  server = await startMinimal();
  ada = await api.member('MANAGER');
  await api.team('others');
  stranger = await api.member('ADMIN', { team: 'others' });
  typeId = (await ada.must('CreateConnectionType', { input: { team: 'default', displayName: 'Stock', serverUrl: server.url, authMethod: 'NONE' } })).connectionType.id;
  enrollmentId = (await ada.must('Enroll', { input: { connectionTypeId: typeId } })).enrollment.id;
  await ada.must('CreateAssignment', { input: { team: 'default', name: 'Job', slots: [{ connectionTypeId: typeId }] } });
  callId = (await ada.must('CallTool', { input: { connectionTypeId: typeId, tool: 'echo', arguments: { nonce: 'n' }, idempotencyKey: 'k' } })).toolCall.id;
  toolId = (await ada.gql('Catalog', { team: 'default' })).data.team.connectionTypes.nodes[0].tools.nodes[0].id;
});
afterAll(async () => {
  await api.stop();
  await server.close();
});
afterEach(() => {
  expect(api.logs().filter((line) => (JSON.parse(line) as { level: number }).level >= 50)).toEqual([]);
});

const cursor = (key: string): string => Buffer.from(`c:${key}`).toString('base64url');

const LISTS = [
  'members', 'connectionTypes', 'enrollments', 'assignments', 'toolCalls', 'auditEvents',
].map((list): [string, string] => [`team.${list}`, `query Q($first: Int, $after: String) { team(slug: "default") { page: ${list}(first: $first, after: $after) { nodes { id } } } }`]);
LISTS.push(['connectionType.tools', 'query Q($first: Int, $after: String) { team(slug: "default") { connectionTypes { nodes { page: tools(first: $first, after: $after) { nodes { id } } } } } }']);

describe.each(LISTS)('%s', (_name, document) => {
  it.each([0, -1, 101, -2_147_483_648])('takes no page of %d rows, and says how many it takes', async (first) => {
    const { errors } = await ada.gql(document, { first });
    expect(errors[0]).toMatchObject({ message: '"first" is 1 to 100.', extensions: { code: 'INVALID', field: ['first'] } });
  });

  it.each([1.5, '5', true, null, -3_000_000_000])('takes no number %p that isn\'t an Int', async (first) => {
    const { errors, status } = await ada.gql(document.replace('$first: Int,', '$first: Int!,'), { first });
    expect([status, errors[0]?.extensions['code']]).toEqual([400, 'BAD_USER_INPUT']);
    expect(errors[0]!.message).toMatch(/^Variable "\$first" /);
  });

  it.each([2_147_483_647, 2_147_483_648, 1e300])('takes no page of %d rows, and says so before it counts them', async (first) => {
    const { errors } = await ada.gql(document, { first });
    expect(errors[0]).toMatchObject({ message: expect.stringContaining('smaller pages (`first`)'), extensions: { code: 'LIMIT_EXCEEDED' } });
  });

  it.each([
    ['nothing', ''], ['garbage', '!!!'], ['another\'s', 'YTpi'], ['a NUL', cursor('\u0000')], ['a NUL inside', cursor('a\u0000b')], ['a lone surrogate', '\ud800'], ['bytes that are no UTF-8', Buffer.from('c:\xff\xfe', 'latin1').toString('base64url')],
    ['a long one', cursor('x'.repeat(10_000))],
  ])('takes no cursor of %s', async (_kind, after) => {
    const { errors } = await ada.gql(document, { first: 5, after });
    expect(errors[0]).toMatchObject({ message: expect.stringContaining('endCursor of the page before'), extensions: { code: 'INVALID', field: ['after'] } });
  });

  it('goes on from any cursor of its own', async () => {
    const withCursors = document.replace('nodes { id } }', 'pageInfo { startCursor } }');
    const whole = (await ada.gql(withCursors, { first: 1 })).text;
    const after = /"startCursor":"([^"]+)"/.exec(whole)![1];
    expect((await ada.gql(document, { first: 1, after })).errors).toEqual([]);
  });
});

it.each(['members', 'enrollments', 'toolCalls', 'auditEvents'])('team.%s takes no cursor that holds something other than an id', async (list) => {
  for (const key of ['x', '42', '018f0000-0000-7000-8000-00000000000', '\'; drop table teams; --']) {
    const { errors } = await ada.gql(`query Q($after: String) { team(slug: "default") { ${list}(after: $after) { nodes { id } } } }`, { after: cursor(key) });
    expect(errors[0]).toMatchObject({ extensions: { code: 'INVALID', field: ['after'] } });
  }
});

describe('an id', () => {
  const BAD = ['', '\u0000', '\ud800', '!!!', 'x'.repeat(10_000), '018f0000-0000-7000-8000-000000000000', Buffer.from('ConnectionType:1').toString('base64url'), Buffer.from('Nothing:018f0000-0000-7000-8000-000000000000').toString('base64url')];

  it('that is none is as unknown as any other', async () => {
    for (const id of BAD) {
      for (const root of ['node', 'connectionType', 'enrollment', 'toolCall', 'assignment']) {
        const { data, errors } = await ada.gql(`query Q($id: ID!) { ${root}(id: $id) { id } }`, { id });
        expect([root, data?.[root], errors]).toEqual([root, null, []]);
      }
    }
  });

  it('of another team can\'t be told from one that nobody has, by no query', async () => {
    const unknown = (id: string): string => Buffer.from(`${Buffer.from(id, 'base64url').toString().split(':')[0]}:018f0000-0000-7000-8000-000000000000`).toString('base64url');
    const shape = (text: string): string => text.replace(/"requestId":"[^"]*"/g, '');
    for (const id of [typeId, enrollmentId, callId, toolId, ada.id]) {
      for (const root of ['node', 'connectionType', 'enrollment', 'toolCall']) {
        const document = `query Q($id: ID!) { ${root}(id: $id) { id } }`;
        expect(shape((await stranger.gql(document, { id })).text)).toBe(shape((await stranger.gql(document, { id: unknown(id) })).text));
      }
    }
  });

  it.each<[string, (id: string) => object, () => string]>([
    ['UpdateConnectionType', (id) => ({ id, expectedVersion: 1, displayName: 'Mine' }), () => typeId],
    ['DeleteConnectionType', (id) => ({ id, expectedVersion: 1 }), () => typeId],
    ['CheckConnectionType', (id) => ({ id }), () => typeId],
    ['AcceptToolChange', (toolId) => ({ toolId, definitionHash: 'x' }), () => toolId],
    ['Enroll', (connectionTypeId) => ({ connectionTypeId }), () => typeId],
    ['UpdateEnrollment', (id) => ({ id, label: 'mine' }), () => enrollmentId],
    ['ConfirmEnrollment', (id) => ({ id, serverUrl: server.url }), () => enrollmentId],
    ['RefreshEnrollment', (id) => ({ id }), () => enrollmentId],
    ['ShareEnrollment', (id) => ({ id, shared: true }), () => enrollmentId],
    ['DeleteEnrollment', (id) => ({ id }), () => enrollmentId],
    ['CallTool', (connectionTypeId) => ({ connectionTypeId, tool: 'echo' }), () => typeId],
    ['CancelToolCall', (id) => ({ id }), () => callId],
    ['RemoveMember', (memberId) => ({ team: 'others', memberId }), () => ada.id],
    ['CreateToken', (memberId) => ({ team: 'others', name: 'x', memberId }), () => ada.id],
  ])('of another team can\'t be told from one that nobody has by %s', async (operation, input, theirs) => {
    const kind = Buffer.from(theirs(), 'base64url').toString().split(':')[0];
    const unknown = Buffer.from(`${kind}:018f0000-0000-7000-8000-000000000000`).toString('base64url');
    const [real, made] = [await stranger.gql(operation, { input: input(theirs()) }), await stranger.gql(operation, { input: input(unknown) })];
    expect(real.text).toBe(made.text);
    expect(Object.values(real.data as Record<string, { userErrors: object[] }>)[0]!.userErrors[0]).toMatchObject({ code: 'NOT_FOUND', field: expect.arrayContaining(['input']) });
  });

  it('of another team leaves no trace on that team\'s audit trail', async () => {
    const { data } = await ada.gql('query { team(slug: "default") { auditEvents(first: 100) { nodes { actorName outcome } } } }');
    expect(data.team.auditEvents.nodes.filter((event: { actorName: string }) => event.actorName === stranger.subject)).toEqual([]);
  });
});

describe('a team\'s slug', () => {
  it.each(['', '\u0000', '\ud800', 'default\u0000', 'DEFAULT', 'default ', '*', '%', 'x'.repeat(10_000), '__proto__', 'constructor'])('%j is nobody\'s', async (slug) => {
    const { data, errors } = await ada.gql('query Q($slug: String!) { team(slug: $slug) { id } }', { slug });
    expect([data, errors]).toEqual([{ team: null }, []]);
    const { data: created } = await ada.gql('CreateToken', { input: { team: slug, name: 'x' } });
    expect(created.createToken.userErrors[0]).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'team'] });
  });

  it('of another team is as unknown as nobody\'s', async () => {
    expect((await stranger.gql('query { team(slug: "default") { id } }')).text).toBe((await stranger.gql('query { team(slug: "nobodys") { id } }')).text);
    const probe = (team: string) => stranger.gql('Probe', { input: { team, serverUrl: server.url } });
    const plain = (text: string): string => text.replace(/"requestId":"[^"]*"/, '');
    expect(plain((await probe('default')).text)).toBe(plain((await probe('nobodys')).text));
  });
});

describe('probeServer', () => {
  it.each<[string, object, string[]]>([
    ['a URL without a host', { serverUrl: 'http://' }, ['input', 'serverUrl']],
    ['a URL with a user', { serverUrl: 'http://user:secret@127.0.0.1/' }, ['input', 'serverUrl']],
    ['a long URL', { serverUrl: `http://127.0.0.1/${'x'.repeat(3_000)}` }, ['input', 'serverUrl']],
    ['a token with a line break', { accessToken: 'a\r\nX-Admin: yes' }, ['input', 'accessToken']],
    ['a token with a NUL', { accessToken: 'a\u0000b' }, ['input', 'accessToken']],
    ['a token that isn\'t ASCII', { accessToken: 'schlüssel' }, ['input', 'accessToken']],
    ['a header\'s name with a line break', { headers: [{ name: 'X-Key\r\nX-Admin', value: 'yes' }] }, ['input', 'headers', '0', 'name']],
    ['a header\'s name with a colon', { headers: [{ name: 'X-Key: a', value: 'yes' }] }, ['input', 'headers', '0', 'name']],
    ['an empty name', { headers: [{ name: '', value: 'yes' }] }, ['input', 'headers', '0', 'name']],
    ['a header of HTTP', { headers: [{ name: 'Content-Length', value: '5' }] }, ['input', 'headers', '0', 'name']],
    ['the second header\'s value with a line break', { headers: [{ name: 'A', value: 'b' }, { name: 'X-Key', value: 'a\nb' }] }, ['input', 'headers', '1', 'value']],
    ['a header without a value', { headers: [{ name: 'X-Key' }] }, ['input', 'headers', '0', 'value']],
  ])('refuses %s and names the field', async (_name, values, field) => {
    const { errors } = await ada.gql('Probe', { input: { team: 'default', serverUrl: server.url, ...values } });
    expect(errors[0]).toMatchObject({ extensions: { code: 'INVALID', field } });
    expect(JSON.stringify(errors)).not.toMatch(/X-Admin|schlüssel|secret@/);
  });

  it.each(['', ' ', '\u0000', 'x', '\ud800', 'ftp://127.0.0.1/', 'javascript:alert(1)', 'file:///etc/passwd', 'data:text/plain,x', '//127.0.0.1/', 'unix:///tmp/x', 'x'.repeat(10_000)])('has a verdict or a refusal for %j', async (serverUrl) => {
    const { data, errors } = await ada.gql('Probe', { input: { team: 'default', serverUrl } });
    expect(data?.probeServer?.verdict ?? errors[0]?.extensions['code']).toMatch(/^(REFUSED_BY_POLICY|UNSUPPORTED_TRANSPORT|INVALID)$/);
  });

  it('is refused by role, not by INTERNAL', async () => {
    const member = await api.member('MEMBER');
    expect((await member.gql('Probe', { input: { team: 'default', serverUrl: server.url } })).errors[0]).toMatchObject({ extensions: { code: 'FORBIDDEN' } });
  });
});

import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';

let api: TestApi;
let server: MinimalServer;
let ada: TestMember;

beforeAll(async () => {
  api = await startTestApi();
  server = await startMinimal();
  ada = await api.member('ADMIN');
});
afterAll(async () => {
  await api.stop();
  await server.close();
});
afterEach(() => {
  expect(api.logs().filter((line) => (JSON.parse(line) as { level: number }).level >= 50)).toEqual([]);
});

let names = 0;
const type = (more: object = {}) => ({ input: { team: 'default', displayName: 'Stock', name: `stock-${++names}`, serverUrl: server.url, authMethod: 'NONE', ...more } });
const newType = async (more: object = {}) => (await ada.must('CreateConnectionType', type(more))).connectionType as { id: string; version: number };

/** The answers of one mutation that was sent several times at once: its userErrors, those without first. */
async function atOnce(operation: string, variables: object[]): Promise<{ code: string; field: string[] }[][]> {
  const answers = await Promise.all(variables.map((each) => ada.gql(operation, each)));
  for (const { errors } of answers) expect(errors).toEqual([]);
  return answers.map(({ data }) => (Object.values(data as object)[0] as { userErrors: { code: string; field: string[] }[] }).userErrors).sort((a, b) => a.length - b.length);
}

const refused = (code: string, ...field: string[]) => [expect.objectContaining({ code, field: ['input', ...field] })];

describe('of those who want the same at once, one gets it and the others are told', () => {
  it('the name of a type', async () => {
    const same = type();
    expect(await atOnce('CreateConnectionType', [same, same, same])).toEqual([[], refused('ALREADY_EXISTS', 'name'), refused('ALREADY_EXISTS', 'name')]);
    expect(await atOnce('CreateConnectionType', [same])).toEqual([refused('ALREADY_EXISTS', 'name')]);
  });

  it('the label of an enrollment', async () => {
    const { id } = await newType();
    const same = { input: { connectionTypeId: id, label: 'mine' } };
    expect(await atOnce('Enroll', [same, same, same])).toEqual([[], refused('ALREADY_EXISTS', 'label'), refused('ALREADY_EXISTS', 'label')]);
    const { enrollment } = await ada.must('Enroll', { input: { connectionTypeId: id, label: 'other' } });
    expect(await atOnce('UpdateEnrollment', [{ input: { id: enrollment.id, label: 'mine' } }])).toEqual([refused('ALREADY_EXISTS', 'label')]);
  });

  it('the slug of a team', async () => {
    const same = { input: { slug: 'crew', displayName: 'Crew' } };
    const answers = await Promise.all([1, 2, 3].map(() => api.gql('CreateTeam', same)));
    expect(answers.map(({ data }) => data.createTeam.userErrors[0]?.code ?? 'made').sort()).toEqual(['ALREADY_EXISTS', 'ALREADY_EXISTS', 'made']);
  });

  it('the next version of a type', async () => {
    const { id, version } = await newType();
    const change = (displayName: string) => ({ input: { id, expectedVersion: version, displayName } });
    expect(await atOnce('UpdateConnectionType', [change('A'), change('B'), change('C')])).toEqual([[], refused('STALE_VERSION', 'expectedVersion'), refused('STALE_VERSION', 'expectedVersion')]);
    expect(await atOnce('DeleteConnectionType', [{ input: { id, expectedVersion: version } }])).toEqual([refused('STALE_VERSION', 'expectedVersion')]);
    const { data } = await ada.gql('query Q($id: ID!) { connectionType(id: $id) { version } }', { id });
    expect(data.connectionType.version).toBe(version + 1);
  });

  it('an idempotency key', async () => {
    const { id } = await newType();
    await ada.must('Enroll', { input: { connectionTypeId: id } });
    const call = (nonce: string) => ({ input: { connectionTypeId: id, tool: 'echo', arguments: { nonce }, idempotencyKey: 'the same' } });
    const before = server.counts.calls;
    expect(await atOnce('CallTool', [call('a'), call('a'), call('a')])).toEqual([[], [], []]);
    expect(await atOnce('CallTool', [call('b')])).toEqual([refused('IDEMPOTENCY_MISMATCH', 'idempotencyKey')]);
    expect(server.counts.calls).toBe(before + 1);
  });
});

describe('a type that is deleted while others work with it', () => {
  it('is gone for all of them, with a refusal and not half of it', async () => {
    const { id, version } = await newType();
    const answers = await Promise.all([
      ada.gql('Enroll', { input: { connectionTypeId: id } }), ada.gql('CheckConnectionType', { input: { id } }), ada.gql('UpdateConnectionType', { input: { id, expectedVersion: version, displayName: 'New' } }),
      ada.gql('DeleteConnectionType', { input: { id } }), ada.gql('CallTool', { input: { connectionTypeId: id, tool: 'echo' } }), ada.gql('DeleteConnectionType', { input: { id } }), ada.gql('Enroll', { input: { connectionTypeId: id, label: 'b' } }),
    ]);
    expect(answers.flatMap(({ errors }) => errors)).toEqual([]);
    const { data } = await ada.gql('query Q($id: ID!) { connectionType(id: $id) { id } }', { id });
    expect(data.connectionType).toBe(null);
  });
});

describe('a header that would become several', () => {
  it.each<[string, object, string[]]>([
    ['the header of a token', { authMethod: 'ACCESS_TOKEN', accessToken: { header: 'X-Key\r\nX-Admin: yes' } }, ['accessToken', 'header']],
    ['the header of a token, by a space', { authMethod: 'ACCESS_TOKEN', accessToken: { header: 'X Key' } }, ['accessToken', 'header']],
    ['a header that isn\'t ours to set', { authMethod: 'ACCESS_TOKEN', accessToken: { header: 'Mcp-Session-Id' } }, ['accessToken', 'header']],
    ['a token\'s prefix', { authMethod: 'ACCESS_TOKEN', accessToken: { prefix: 'Bearer \r\nX-Admin: yes ' } }, ['accessToken', 'prefix']],
    ['a token\'s prefix that isn\'t ASCII', { authMethod: 'ACCESS_TOKEN', accessToken: { prefix: 'Schlüssel ' } }, ['accessToken', 'prefix']],
    ['a declared header', { authMethod: 'CUSTOM_HEADERS', headers: [{ name: 'X-A' }, { name: 'X-B\nX-C' }] }, ['headers', '1', 'name']],
    ['a declared header twice', { authMethod: 'CUSTOM_HEADERS', headers: [{ name: 'X-A' }, { name: 'x-a' }] }, ['headers', '1', 'name']],
    ['a declared header of another alphabet', { authMethod: 'CUSTOM_HEADERS', headers: [{ name: 'X-Кey' }] }, ['headers', '0', 'name']],
    ['Host', { authMethod: 'CUSTOM_HEADERS', headers: [{ name: 'hOsT' }] }, ['headers', '0', 'name']],
    ['Transfer-Encoding', { authMethod: 'CUSTOM_HEADERS', headers: [{ name: 'Transfer-Encoding' }] }, ['headers', '0', 'name']],
  ])('is refused as %s', async (_name, more, field) => {
    expect(await atOnce('CreateConnectionType', [type(more)])).toEqual([refused('INVALID', ...field)]);
  });

  it.each(['a\r\nX-Admin: yes', 'a\nb', 'a\rb', 'a\u0000b', 'schlüssel', ' a', 'a ', '\u2028', 'a\u0085b', 'x'.repeat(8_193)])('is refused as a value %j', async (value) => {
    const byToken = await newType({ authMethod: 'ACCESS_TOKEN' });
    expect(await atOnce('Enroll', [{ input: { connectionTypeId: byToken.id, accessToken: value } }])).toEqual([refused('INVALID', 'accessToken')]);
    const byHeaders = await newType({ authMethod: 'CUSTOM_HEADERS' });
    const headers = [{ name: 'X-A', value: 'fine' }, { name: 'X-B', value }];
    expect(await atOnce('Enroll', [{ input: { connectionTypeId: byHeaders.id, headers } }])).toEqual([refused('INVALID', 'headers', '1', 'value')]);
    expect(JSON.stringify(server.seen.map(({ headers: sent }) => sent))).not.toMatch(/x-admin|X-Admin/);
  });
});

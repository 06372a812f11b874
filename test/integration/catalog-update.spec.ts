import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { ChangeableServer } from '#test/support/mcp-servers/changeable.js';
import { refusalOf } from '#test/support/refusal.js';

const BEARER = { header: 'authorization', values: ['Bearer key-of-bea', 'Bearer key-of-ann'] };

let api: TestApi;
let here: ChangeableServer;
let there: ChangeableServer;
let bea: TestMember;
beforeAll(async () => {
  [api, here, there] = await Promise.all([startTestApi(), ChangeableServer.start({ credential: BEARER }), ChangeableServer.start({ credential: BEARER, name: 'there' })]);
  bea = await api.member('MEMBER', { subject: 'bea' });
});
afterAll(async () => {
  await api.stop();
  await Promise.all([here.stop(), there.stop()]);
});

let count = 0;
// eslint-disable-next-line typescript/no-explicit-any -- answers have any shape
let type: any;
beforeEach(async () => {
  const input = { team: 'default', displayName: `Stock ${++count}`, description: 'What is there', serverUrl: here.url, authMethod: 'ACCESS_TOKEN', calls: { ratePerMinute: 100 } };
  ({ connectionType: type } = await api.must('CreateConnectionType', { input }));
});

const changes = (values: object) => ({ input: { id: type.id, expectedVersion: type.version, ...values } });
const update = async (values: object) => (type = (await api.must('UpdateConnectionType', changes(values))).connectionType);
const refused = async (values: object) => refusalOf(await api.gql('UpdateConnectionType', changes(values)));
const enroll = async (member = bea, input: object = { accessToken: 'key-of-bea' }) => (await member.must('Enroll', { input: { connectionTypeId: type.id, ...input } })).enrollment;
const enrollment = async (id: string, member = bea) => (await member.must('query ($id: ID!) { enrollment(id: $id) { state action { label } conditions { type status reason } } }', { id }));
const call = async (member = bea) => {
  const { toolCall, userErrors } = (await member.gql('CallTool', { input: { connectionTypeId: type.id, tool: 'echo' } })).data.callTool;
  return userErrors[0]?.code ?? toolCall.status;
};

describe('an update', () => {
  it('keeps what is absent, replaces by a value, clears by null', async () => {
    expect(await update({ displayName: 'Renamed' })).toMatchObject({ displayName: 'Renamed', name: type.name, description: 'What is there', calls: { ratePerMinute: 100, timeoutMs: 60_000 }, version: 2 });
    expect(await update({ calls: { timeoutMs: 5000 } })).toMatchObject({ calls: { ratePerMinute: 100, timeoutMs: 5000 }, version: 3 });
    expect(await update({ description: null, calls: { timeoutMs: null }, toolPolicy: { deny: ['drop*'] } })).toMatchObject({
      description: null, calls: { ratePerMinute: 100, timeoutMs: 60_000 }, toolPolicy: { deny: ['drop*'], onChange: 'WARN' }, version: 4,
    });
    expect(await update({ calls: { ratePerMinute: null }, toolPolicy: null })).toMatchObject({ calls: { ratePerMinute: null }, toolPolicy: { deny: [] }, version: 5 });
  });

  it.each<[object, string[]]>([
    [{ displayName: null }, ['displayName']], [{ serverUrl: null }, ['serverUrl']], [{ authMethod: null }, ['authMethod']], [{ serverUrl: 'nonsense' }, ['serverUrl']],
    [{ accessToken: { header: 'Host' } }, ['accessToken', 'header']], [{ headers: [{ name: 'X-Key' }] }, ['headers']], [{ health: { timeoutSeconds: 1000 } }, ['health', 'timeoutSeconds']],
  ])('refuses %j, and changes nothing', async (values, field) => {
    expect(await refused(values)).toMatchObject({ code: 'INVALID', field: ['input', ...field] });
    expect((await api.must('{ node(id: "' + type.id + '") { ... on ConnectionType { version } } }')).version).toBe(1);
  });

  it('refuses a version that isn\'t the current one, and of two at once the second', async () => {
    await update({ displayName: 'First' });
    type.version = 1;
    expect(await refused({ displayName: 'Second' })).toMatchObject({ code: 'STALE_VERSION', field: ['input', 'expectedVersion'], message: expect.stringContaining('version 2') });
    type.version = 2;
    const answers = await Promise.all(['a', 'b'].map((name) => api.gql('UpdateConnectionType', changes({ displayName: name }))));
    expect(answers.map((answer) => answer.data.updateConnectionType.userErrors[0]?.code ?? 'done').sort()).toEqual(['STALE_VERSION', 'done']);
  });

  it('that changes nothing doesn\'t move the version, and neither does a look at the server', async () => {
    const before = { ...type };
    expect(await update({ displayName: type.displayName, calls: { ratePerMinute: 100 }, headers: null })).toMatchObject({ version: 1, updatedAt: before.updatedAt });
    const { connectionType } = await api.must('CheckConnectionType', { input: { id: type.id } });
    expect(connectionType).toMatchObject({ version: 1, updatedAt: before.updatedAt });
  });

  it('that moves nothing doesn\'t ask the server, and what was observed holds for the new version', async () => {
    const asked = here.requests;
    const updated = await update({ description: 'Other words' });
    expect(here.requests).toBe(asked);
    expect(updated.state).toBe('READY');
    expect(updated.conditions.map((one: { observedGeneration: number }) => one.observedGeneration)).toEqual(updated.conditions.map(() => 2));
  });

  it('looks at a new address first', async () => {
    expect(await refused({ serverUrl: 'http://127.0.0.1:9/mcp' })).toMatchObject({ code: 'SERVER_REFUSED', field: ['input', 'serverUrl'], retryable: true });
    expect(await refused({ serverUrl: 'https://10.0.0.1/mcp', allowUnreachable: true })).toMatchObject({ code: 'SERVER_REFUSED', field: ['input', 'serverUrl'] });
    expect(await refused({ authMethod: 'NONE' })).toMatchObject({ code: 'SERVER_REFUSED', field: ['input', 'authMethod'] });
    expect(await refused({ authMethod: 'OAUTH' })).toMatchObject({ code: 'OAUTH_NOT_SUPPORTED', field: ['input', 'authMethod'] });
    const moved = await update({ serverUrl: 'http://127.0.0.1:9/mcp', allowUnreachable: true });
    expect(moved).toMatchObject({ state: 'UNREACHABLE', server: null, protocolVersion: null });
    expect(await update({ serverUrl: there.url })).toMatchObject({ state: 'READY' });
  });
});

describe('where a credential goes', () => {
  it.each<[string, () => object]>([
    ['another address', () => ({ serverUrl: there.url })], ['another path', () => ({ serverUrl: `${here.url}/other` })], ['another header', () => ({ accessToken: { header: 'X-Api-Key' } })],
    ['another method', () => ({ authMethod: 'CUSTOM_HEADERS' })],
  ])('is for its owner to confirm: %s suspends', async (_what, values) => {
    const { id } = await enroll();
    expect(await call()).toBe('SUCCEEDED');
    there.logins.length = here.logins.length = 0;
    await update(values());
    expect(await enrollment(id)).toMatchObject({ state: 'SUSPENDED', action: { label: expect.stringContaining('Confirm') }, conditions: expect.arrayContaining([{ type: 'Ready', status: 'FALSE', reason: 'Suspended' }]) });
    expect(await call()).toBe('ENROLLMENT_SUSPENDED');
    await bea.must('CheckConnectionType', { input: { id: type.id } });
    expect(refusalOf(await bea.gql('RefreshEnrollment', { input: { id } }))).toMatchObject({ code: 'ENROLLMENT_SUSPENDED', field: ['input', 'id'] });
    expect([...here.logins, ...there.logins].filter((login) => login !== null)).toEqual([]);
  });

  it.each<[string, () => object]>([
    ['a trailing slash', () => ({ serverUrl: `${here.url}/` })], ['words and bounds', () => ({ displayName: `Other ${++count}`, calls: { timeoutMs: 5000 } })], ['the spelling of the header', () => ({ accessToken: { header: 'AUTHORIZATION' } })],
  ])('stays the same with %s', async (_what, values) => {
    const { id } = await enroll();
    await update(values());
    expect(await enrollment(id)).toMatchObject({ state: 'READY' });
    expect(await call()).toBe('SUCCEEDED');
  });

  it('is two slashes away from a trailing slash', async () => {
    const { id } = await enroll();
    await update({ serverUrl: `${here.url}//` });
    expect(await enrollment(id)).toMatchObject({ state: 'SUSPENDED' });
  });

  it('is confirmed by naming it, and no other', async () => {
    const { id } = await enroll();
    await update({ serverUrl: there.url });
    there.logins.length = 0;
    const confirm = async (serverUrl: string) => bea.gql('ConfirmEnrollment', { input: { id, serverUrl } });
    for (const wrong of [here.url, 'nonsense', `${there.url}x`]) {
      const refusal = refusalOf(await confirm(wrong));
      expect(refusal).toMatchObject({ code: 'STALE_VERSION', field: ['input', 'serverUrl'] });
      expect(refusal.message).toContain(there.url);
    }
    expect(there.logins).toEqual([]);
    expect((await confirm(`${there.url}/`)).data.confirmEnrollment.enrollment).toMatchObject({ id, state: 'READY', action: null });
    expect(there.logins).toContain('Bearer key-of-bea');
    expect(await call()).toBe('SUCCEEDED');
    expect((await confirm(there.url)).data.confirmEnrollment.userErrors).toEqual([]);
  });

  it('is not confirmed with a credential that it refuses, which stays as it was', async () => {
    const { id } = await enroll();
    there.credential = { header: 'authorization', values: [] };
    await update({ serverUrl: there.url });
    expect(refusalOf(await bea.gql('ConfirmEnrollment', { input: { id, serverUrl: there.url } }))).toMatchObject({ code: 'CREDENTIAL_REJECTED', field: ['input', 'id'] });
    there.credential = BEARER;
    expect(await enrollment(id)).toMatchObject({ state: 'SUSPENDED' });
    await update({ serverUrl: here.url });
    expect(await call()).toBe('SUCCEEDED');
  });

  it('is confirmed by entering the credential', async () => {
    const { id } = await enroll();
    await update({ serverUrl: there.url });
    await bea.must('UpdateEnrollment', { input: { id, accessToken: 'key-of-ann' } });
    expect(await call()).toBe('SUCCEEDED');
  });

  it('is not confirmed by an update that enters nothing', async () => {
    const { id } = await enroll();
    await update({ serverUrl: there.url });
    there.logins.length = 0;
    expect(refusalOf(await bea.gql('UpdateEnrollment', { input: { id, headers: [] } }))).toMatchObject({ code: 'INVALID', field: ['input', 'accessToken'] });
    await bea.must('UpdateEnrollment', { input: { id, label: 'renamed' } });
    expect(there.logins).toEqual([]);
    expect(await enrollment(id)).toMatchObject({ state: 'SUSPENDED' });
  });

  it('is known again when the type comes back: nobody has to confirm twice', async () => {
    const { id } = await enroll();
    await update({ serverUrl: there.url });
    await update({ serverUrl: here.url });
    expect(await enrollment(id)).toMatchObject({ state: 'READY', action: null, conditions: expect.arrayContaining([{ type: 'Ready', status: 'TRUE', reason: 'Ready' }]) });
    expect(await call()).toBe('SUCCEEDED');
  });

  it('is of no use for another method: the new kind has to be entered', async () => {
    const { id } = await enroll();
    await update({ authMethod: 'CUSTOM_HEADERS' });
    expect(refusalOf(await bea.gql('ConfirmEnrollment', { input: { id, serverUrl: here.url } }))).toMatchObject({ code: 'ACTION_REQUIRED' });
    const { enrollment: entered } = await bea.must('UpdateEnrollment', { input: { id, headers: [{ name: 'Authorization', value: 'Bearer key-of-bea' }] } });
    expect(entered).toMatchObject({ state: 'READY', credential: { kind: 'CUSTOM_HEADERS', fields: [{ name: 'Authorization', isSet: true }] } });
    expect(await call()).toBe('SUCCEEDED');
  });

  it('holds for shared enrollments too: teammates wait for the owner', async () => {
    const [ann, cai] = [await api.member('MANAGER'), await api.member('MEMBER')];
    const { id } = await enroll(ann, { accessToken: 'key-of-ann' });
    await ann.must('ShareEnrollment', { input: { id, shared: true } });
    expect(await call(cai)).toBe('SUCCEEDED');
    await update({ serverUrl: there.url });
    expect(await call(cai)).toBe('ENROLLMENT_SUSPENDED');
    await ann.must('ConfirmEnrollment', { input: { id, serverUrl: there.url } });
    expect(await call(cai)).toBe('SUCCEEDED');
  });
});

describe('deleting a type', () => {
  it('ends its enrollments, and says how many', async () => {
    const { id } = await enroll();
    await enroll(await api.member('MEMBER'), { accessToken: 'key-of-ann' });
    const stale = { id: type.id, expectedVersion: 7 };
    expect(refusalOf(await api.gql('DeleteConnectionType', { input: stale }))).toMatchObject({ code: 'STALE_VERSION', field: ['input', 'expectedVersion'] });
    expect(await api.must('DeleteConnectionType', { input: { id: type.id, expectedVersion: 1 } })).toMatchObject({ deletedId: type.id, enrollmentsDeleted: 2 });
    expect(await enrollment(id)).toBeNull();
    expect(await call()).toBe('NOT_FOUND');
    expect(refusalOf(await api.gql('DeleteConnectionType', { input: { id: type.id } }))).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'id'] });
    expect((await api.must('CreateConnectionType', { input: { team: 'default', displayName: 'Again', name: type.name, serverUrl: here.url, authMethod: 'ACCESS_TOKEN' } })).connectionType.id).not.toBe(type.id);
  });

  it('at the same time as looking at it and enrolling harms neither', async () => {
    const { id } = await enroll();
    const answers = await Promise.all([
      bea.gql('CheckConnectionType', { input: { id: type.id } }), bea.gql('RefreshEnrollment', { input: { id } }), bea.gql('Enroll', { input: { connectionTypeId: type.id, label: 'late', accessToken: 'key-of-bea' } }),
      api.gql('DeleteConnectionType', { input: { id: type.id } }), api.gql('UpdateConnectionType', changes({ description: 'late' })),
    ]);
    expect(answers.flatMap((answer) => answer.errors).filter((error) => error.extensions.code !== 'NOT_FOUND')).toEqual([]);
  });
});

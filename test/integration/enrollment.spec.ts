import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { ChangeableServer } from '#test/support/mcp-servers/changeable.js';
import { refusalOf } from '#test/support/refusal.js';

const KEYS = ['Bearer first-key-1', 'Bearer second-key-2'];

let api: TestApi;
let server: ChangeableServer;
let ann: TestMember;
let bea: TestMember;
beforeAll(async () => {
  [api, server] = await Promise.all([startTestApi(), ChangeableServer.start()]);
  [ann, bea] = [await api.member('MANAGER', { subject: 'ann' }), await api.member('MEMBER', { subject: 'bea' })];
});
afterAll(async () => {
  await api.stop();
  await server.stop();
});
beforeEach(async () => {
  await server.start().catch(() => undefined);
  server.credential = { header: 'authorization', values: KEYS };
});

let count = 0;
let id: string;
async function create(values: object = {}): Promise<void> {
  const input = { team: 'default', displayName: `Type ${++count}`, serverUrl: server.url, authMethod: 'ACCESS_TOKEN', ...values };
  ({ id } = (await api.must('CreateConnectionType', { input })).connectionType);
}
interface Held { id: string; label: string; state: string; shared: boolean; conditions: { type: string; status: string; reason: string }[]; credential: { kind: string; fields: { name: string; isSet: boolean; updatedAt: string | null }[] } }
const enroll = async (values: object = {}, member = bea): Promise<Held> => (await member.must('Enroll', { input: { connectionTypeId: id, accessToken: 'first-key-1', ...values } })).enrollment;
const refused = async (values: object = {}, member = bea) => refusalOf(await member.gql('Enroll', { input: { connectionTypeId: id, accessToken: 'first-key-1', ...values } }));
const update = async (held: Held, values: object, member = bea): Promise<Held> => (await member.must('UpdateEnrollment', { input: { id: held.id, ...values } })).enrollment;
const updateRefused = async (held: Held, values: object, member = bea) => refusalOf(await member.gql('UpdateEnrollment', { input: { id: held.id, ...values } }));
const held = async (member = bea): Promise<Held[]> => (await member.must('query ($id: ID!) { connectionType(id: $id) { viewerEnrollments { id label credential { fields { name isSet } } } } }', { id })).viewerEnrollments;
const authorized = (one: Held) => one.conditions.find(({ type }) => type === 'Authorized');
/** What the server saw of the call's credential, or why it was refused. */
const call = async (values: object = {}, member = bea) => {
  const { toolCall, userErrors } = (await member.gql('CallTool', { input: { connectionTypeId: id, tool: 'echo', ...values } })).data.callTool;
  return userErrors[0]?.code ?? (toolCall.status === 'SUCCEEDED' ? server.calls.at(-1) : toolCall.status);
};
/** What the caller sees of what the server answered: the credential that it saw. */
const answered = async () => (await bea.must('CallTool', { input: { connectionTypeId: id, tool: 'echo' } })).toolCall.content[0].text;

describe('enrolling with a token', () => {
  beforeEach(() => create());

  it('tries it first, and shows which part is set but never its value', async () => {
    const enrollment = await enroll();
    expect(enrollment).toMatchObject({ label: '', shared: false, origin: 'API', state: 'READY', credential: { kind: 'ACCESS_TOKEN', fields: [{ name: 'accessToken', isSet: true, updatedAt: expect.any(String) }] } });
    expect(authorized(enrollment)).toMatchObject({ status: 'TRUE', reason: 'Accepted' });
    expect(await call()).toBe('Bearer first-key-1');
  });

  it('refuses a wrong one, and stores nothing', async () => {
    const refusal = await refused({ accessToken: 'wrong-key' });
    expect(refusal).toMatchObject({ code: 'CREDENTIAL_REJECTED', field: ['input', 'accessToken'], retryable: false });
    expect(refusal.message).not.toContain('wrong-key');
    expect(await held()).toEqual([]);
    expect(await call()).toBe('NOT_CONNECTED');
  });

  it('refuses one that can\'t be tried now, and stores nothing', async () => {
    await server.stop();
    expect(await refused()).toMatchObject({ code: 'SERVER_REFUSED', field: ['input', 'accessToken'], retryable: true });
    expect(await held()).toEqual([]);
  });

  it('says that a server which answers alike without it can\'t verify it', async () => {
    server.credential = null;
    const enrollment = await enroll({ accessToken: 'anything' });
    expect(authorized(enrollment)).toMatchObject({ status: 'UNKNOWN', reason: 'NotVerifiable' });
    expect(enrollment.state).toBe('READY');
  });

  it.each<[string, object, string[]]>([
    ['nothing', { accessToken: null }, ['accessToken']], ['an empty token', { accessToken: '' }, ['accessToken']], ['a line break', { accessToken: 'a\r\nX-Injected: b' }, ['accessToken']],
    ['letters outside ASCII', { accessToken: 'schlüssel' }, ['accessToken']], ['white space around', { accessToken: ' key ' }, ['accessToken']], ['the prefix in it', { accessToken: 'bearer first-key-1' }, ['accessToken']],
    ['headers', { headers: [{ name: 'X-Key', value: 'v' }] }, ['headers']], ['a label with a line break', { label: 'a\nb' }, ['label']], ['too long a label', { label: 'x'.repeat(101) }, ['label']],
  ])('refuses %s', async (_what, values, field) => {
    expect(await refused(values)).toMatchObject({ code: 'INVALID', field: ['input', ...field] });
  });

  it('leads over no page that it could come back from', async () => {
    expect(await refused({ returnUrl: 'http://127.0.0.1/' })).toMatchObject({ code: 'INVALID', field: ['input', 'returnUrl'] });
  });

  it('is possible several times, told apart by a label', async () => {
    const first = await enroll();
    expect(await refused()).toMatchObject({ code: 'ALREADY_EXISTS', field: ['input', 'label'] });
    expect(await refused({ label: '  ' })).toMatchObject({ code: 'ALREADY_EXISTS', field: ['input', 'label'] });
    const second = await enroll({ label: 'work', accessToken: 'second-key-2' });
    expect(await call()).toBe('AMBIGUOUS_ENROLLMENT');
    expect([await call({ enrollmentId: first.id }), await call({ enrollmentId: second.id })]).toEqual(KEYS);
    expect(await updateRefused(first, { label: 'work' })).toMatchObject({ code: 'ALREADY_EXISTS', field: ['input', 'label'] });
    expect((await update(first, { label: 'home' })).label).toBe('home');
    const racing = await Promise.all([1, 2].map(() => bea.gql('Enroll', { input: { connectionTypeId: id, label: 'raced', accessToken: 'first-key-1' } })));
    expect(racing.map((answer) => answer.data.enroll.userErrors[0]?.code ?? 'done').sort()).toEqual(['ALREADY_EXISTS', 'done']);
  });

  it('can be changed, renamed and cleared: absent keeps, a value replaces, null clears', async () => {
    const enrollment = await enroll();
    expect((await update(enrollment, { label: 'named' })).credential).toEqual(enrollment.credential);
    expect(await call()).toBe(KEYS[0]);
    await update(enrollment, { accessToken: 'second-key-2' });
    expect(await call()).toBe(KEYS[1]);
    expect(await updateRefused(enrollment, { accessToken: 'wrong' })).toMatchObject({ code: 'CREDENTIAL_REJECTED', field: ['input', 'accessToken'] });
    expect(await call()).toBe(KEYS[1]);
    for (let times = 0; times < 2; times++) {
      const cleared = await update(enrollment, { accessToken: null });
      expect(cleared).toMatchObject({ state: 'ACTION_REQUIRED', action: { label: 'Enter a credential' }, credential: { fields: [{ name: 'accessToken', isSet: false, updatedAt: null }] } });
    }
    expect(await call()).toBe('ACTION_REQUIRED');
    expect(refusalOf(await bea.gql('RefreshEnrollment', { input: { id: enrollment.id } }))).toMatchObject({ code: 'ACTION_REQUIRED' });
    expect((await update(enrollment, { accessToken: 'first-key-1' })).state).toBe('READY');
    expect(await call()).toBe(KEYS[0]);
  });

  it('is looked at again on refreshEnrollment: a key that ended, and one that works again', async () => {
    const enrollment = await enroll();
    const refresh = async () => (await bea.must('RefreshEnrollment', { input: { id: enrollment.id } })).enrollment;
    server.credential = { header: 'authorization', values: [] };
    expect(await refresh()).toMatchObject({ state: 'ACTION_REQUIRED', action: { label: 'Enter a new credential' } });
    server.credential.values = KEYS;
    expect(await refresh()).toMatchObject({ state: 'READY', action: null });
    await server.stop();
    expect(await refresh()).toMatchObject({ state: 'UNREACHABLE' });
  });

  it('shows the type that was saved unreachable as up, when it came up', async () => {
    await server.stop();
    await create({ allowUnreachable: true });
    await server.start();
    await enroll();
    expect((await bea.must('query ($id: ID!) { connectionType(id: $id) { state server { name } } }', { id }))).toEqual({ state: 'READY', server: { name: 'changeable' } });
    expect(await call()).toBe(KEYS[0]);
  });

  it('ends with deleteEnrollment: nothing of it is left', async () => {
    const enrollment = await enroll();
    const ended = await bea.must('DeleteEnrollment', { input: { id: enrollment.id } });
    expect(ended).toMatchObject({ deletedId: enrollment.id, revocation: { outcome: 'NOT_NEEDED', message: expect.stringContaining('revoked there') } });
    expect(await call()).toBe('NOT_CONNECTED');
    expect(refusalOf(await bea.gql('DeleteEnrollment', { input: { id: enrollment.id } }))).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'id'] });
    expect(await sql('select 1 from credentials where enrollment_id in (select id from enrollments where connection_type_id::text = $1)')).toEqual([]);
    expect((await enroll()).id).not.toBe(enrollment.id);
  });

  it('seals the credential for the place that was confirmed: a row that says otherwise doesn\'t open it', async () => {
    await enroll();
    const elsewhere = await ChangeableServer.start();
    await sql(`update connection_types set spec = jsonb_set(spec, '{serverUrl}', to_jsonb($2::text)) where id::text = $1`, elsewhere.url);
    await sql(`update enrollments set confirmed_target = jsonb_set(confirmed_target, '{serverUrl}', to_jsonb($2::text)) where connection_type_id::text = $1`, elsewhere.url);
    await sql(`select pg_notify('fairlead_changed', team_id::text) from connection_types where id::text = $1`);
    const answer = await bea.gql('CallTool', { input: { connectionTypeId: id, tool: 'echo' } });
    expect(answer.errors[0]?.extensions).toMatchObject({ code: 'INTERNAL' });
    expect(elsewhere.requests).toBe(0);
    await elsewhere.stop();
  });
});

describe('enrolling with headers', () => {
  const DECLARED = [{ name: 'X-Api-Key', description: 'From your profile' }, { name: 'X-Tenant', required: true, secret: false }, { name: 'X-Note', required: false }];
  const both = [{ name: 'x-api-key', value: 'header-key-1' }, { name: 'X-Tenant', value: 'eu-central' }];
  const headers = (list: object[] | null) => ({ accessToken: undefined, headers: list });
  beforeEach(async () => {
    server.credential = { header: 'X-Api-Key', values: ['header-key-1', 'header-key-2'] };
    await create({ authMethod: 'CUSTOM_HEADERS', headers: DECLARED });
  });

  it('takes the declared ones by name, whatever their case', async () => {
    const enrollment = await enroll(headers(both));
    expect(enrollment.credential.fields.map(({ name, isSet }) => [name, isSet])).toEqual([['X-Api-Key', true], ['X-Tenant', true]]);
    expect(await call()).toBe('header-key-1');
  });

  it.each<[string, object[], string[]]>([
    ['a missing required one', [both[0]!], []], ['one that isn\'t declared', [...both, { name: 'X-Other', value: 'v' }], ['2', 'name']], ['one twice', [...both, { name: 'X-API-KEY', value: 'v' }], ['2', 'name']],
    ['an empty value', [{ name: 'X-Api-Key', value: '' }], ['0', 'value']], ['a line break', [{ name: 'X-Api-Key', value: 'a\r\nHost: b' }], ['0', 'value']],
  ])('refuses %s', async (_what, list, at) => {
    expect(await refused(headers(list))).toMatchObject({ code: 'INVALID', field: ['input', 'headers', ...at] });
  });

  it('merges changes by name; null clears one, or all', async () => {
    const enrollment = await enroll(headers([...both, { name: 'X-Note', value: 'note' }]));
    const [key, tenant] = enrollment.credential.fields;
    const changed = await update(enrollment, { headers: [{ name: 'X-Api-Key', value: 'header-key-2' }, { name: 'X-Note', value: null }] });
    expect(changed.credential.fields).toEqual([{ ...key, updatedAt: expect.any(String) }, tenant, { name: 'X-Note', isSet: false, updatedAt: null }]);
    expect(changed.credential.fields[0]!.updatedAt).not.toBe(key!.updatedAt);
    expect(await call()).toBe('header-key-2');
    expect(await updateRefused(enrollment, { headers: [{ name: 'X-Tenant', value: null }] })).toMatchObject({ code: 'INVALID', field: ['input', 'headers'] });
    const cleared = await update(enrollment, { headers: null });
    expect(cleared.credential.fields.every(({ isSet }) => !isSet)).toBe(true);
    expect(await call()).toBe('ACTION_REQUIRED');
  });

  it('no longer sends what is no longer declared', async () => {
    await enroll(headers(both));
    await api.must('UpdateConnectionType', { input: { id, expectedVersion: 1, headers: [{ name: 'X-Tenant' }] } });
    server.logins.length = 0;
    await call();
    await bea.must('CheckConnectionType', { input: { id } });
    expect(server.logins.filter((login) => login !== null)).toEqual([]);
  });

  it('keeps scrubbing what was entered as a secret, whatever is declared later', async () => {
    await enroll(headers(both));
    expect(await answered()).toBe('[redacted]');
    await api.must('UpdateConnectionType', { input: { id, expectedVersion: 1, headers: [{ name: 'X-Api-Key', secret: false }, { name: 'X-Tenant', secret: false }] } });
    expect(await answered()).toBe('[redacted]');
  });

  it('lets teammates name their own where none are declared', async () => {
    await create({ authMethod: 'CUSTOM_HEADERS' });
    expect(await refused(headers([]))).toMatchObject({ code: 'INVALID', field: ['input', 'headers'] });
    expect(await refused(headers([{ name: 'Cookie', value: 'x' }]))).toMatchObject({ code: 'INVALID', field: ['input', 'headers', '0', 'name'] });
    expect((await enroll(headers([{ name: 'X-Api-Key', value: 'header-key-1' }, { name: 'X-Mine', value: 'v' }]))).state).toBe('READY');
  });
});

describe('enrolling without a credential', () => {
  it('is one click, and refuses a credential', async () => {
    server.credential = null;
    await create({ authMethod: 'NONE' });
    expect(await refused()).toMatchObject({ code: 'INVALID', field: ['input', 'accessToken'] });
    const enrollment = await enroll({ accessToken: undefined });
    expect(enrollment).toMatchObject({ state: 'READY', credential: { kind: 'NONE', fields: [] } });
    expect(authorized(enrollment)).toMatchObject({ status: 'TRUE', reason: 'NoCredentialNeeded' });
  });
});

describe('sharing', () => {
  const share = (one: Held, shared: boolean, member: TestMember) => member.gql('ShareEnrollment', { input: { id: one.id, shared } });
  beforeEach(() => create());

  it('is for an owner who is a manager, and lets teammates call through it', async () => {
    const enrollment = await enroll({}, ann);
    expect(refusalOf(await share(enrollment, true, bea))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await call()).toBe('NOT_CONNECTED');
    expect((await share(enrollment, true, ann)).data.shareEnrollment.enrollment).toMatchObject({ shared: true });
    expect(await call()).toBe(KEYS[0]);
  });

  it('is ended by any manager, and by an owner who is one no longer', async () => {
    const owner = await api.member('MANAGER');
    const enrollment = await enroll({}, owner);
    await share(enrollment, true, owner);
    expect((await share(enrollment, false, ann)).data.shareEnrollment).toMatchObject({ enrollment: { shared: false }, userErrors: [] });
    await share(enrollment, true, owner);
    await api.must('SetMember', { input: { team: 'default', subject: owner.subject, role: 'MEMBER' } });
    expect((await share(enrollment, false, owner)).data.shareEnrollment.userErrors).toEqual([]);
    expect(refusalOf(await share(enrollment, true, owner))).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('gives way to one\'s own enrollment', async () => {
    await share(await enroll({ accessToken: 'second-key-2' }, ann), true, ann);
    const own = await enroll();
    expect((await bea.must('CallTool', { input: { connectionTypeId: id, tool: 'echo' } })).toolCall.enrollment.id).toBe(own.id);
  });
});

async function sql(statement: string, ...values: unknown[]): Promise<unknown[]> {
  const client = new Client({ connectionString: api.databaseUrl });
  await client.connect();
  const uuid = Buffer.from(id, 'base64url').toString().split(':')[1];
  const { rows } = await client.query(statement, [uuid, ...values].slice(0, /\$2/.test(statement) ? 2 : 1));
  await client.end();
  return rows;
}

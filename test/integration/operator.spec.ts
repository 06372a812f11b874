import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { startTestApi, type TestApi } from '#test/support/api.js';
import { startTestOperator, type TestOperator } from '#test/support/operator.js';
import { ChangeableServer } from '#test/support/mcp-servers/changeable.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { until } from '#test/support/mcp-servers/until.js';

/** API and operator on one database, as in `fairlead dev`; time passes where a test says so, by moving the rows of the schedule. */

let api: TestApi;
let operator: TestOperator;
let server: ChangeableServer;
let provider: FaultyServer;
let sql: Client;
let count = 0;

beforeAll(async () => {
  [api, server, provider] = await Promise.all([startTestApi(), ChangeableServer.start(), startFaultyAuthorizationServer()]);
  sql = new Client({ connectionString: api.databaseUrl });
  await sql.connect();
  operator = await startTestOperator(api);
});
afterAll(async () => {
  await operator?.stop();
  await sql?.end();
  await api?.stop();
  await server?.stop();
  await provider?.close();
});
beforeEach(async () => {
  await server.start().catch(() => undefined);
  Object.assign(server, { credential: null, announces: false, restS: null, tools: [{ name: 'echo', description: 'Gives back.', inputSchema: { type: 'object' } }] });
});

const rows = async (statement: string, values: unknown[] = []): Promise<Record<string, unknown>[]> => (await sql.query(statement, values)).rows as Record<string, unknown>[];
const uuid = async (name: string): Promise<string> => (await rows('select id from connection_types where name = $1', [name]))[0]!['id'] as string;
/** When everything that is due has been done. */
const settled = () => until(async () => (await rows('select 1 from reconcile_schedule where worker is not null or due <= clock_timestamp()')).length === 0);
/** The others of this file, which look at the same servers, are not looked at meanwhile. */
const alone = (id: string) => rows(`update reconcile_schedule set due = due + interval '1 hour' where id <> $1`, [id]);
/** The object's time has come; resolves when its run has ended: how long it waits for the next one, from now, and from when this one was due. */
async function timePasses(id: string): Promise<{ waitS: number; sinceDueS: number }> {
  await settled();
  const [before] = await rows('select epoch from reconcile_schedule where id = $1', [id]);
  const [{ asked }] = await rows('update reconcile_schedule set due = clock_timestamp() where id = $1 returning extract(epoch from due)::float8 as asked', [id]) as [{ asked: number }];
  const done = async () => (await rows(
    'select extract(epoch from due - clock_timestamp())::float8 as wait, extract(epoch from due)::float8 - $3 as since from reconcile_schedule where id = $1 and epoch > $2 and worker is null', [id, before!['epoch'], asked]))[0];
  await until(async () => (await done()) !== undefined);
  const { wait, since } = (await done())!;
  return { waitS: wait as number, sinceDueS: since as number };
}

const create = async (values: object = {}) => {
  const { connectionType } = await api.must('CreateConnectionType', { input: { team: 'default', displayName: `Type ${++count}`, serverUrl: server.url, authMethod: 'NONE', health: { intervalSeconds: 30 }, ...values } });
  await settled();
  return { id: connectionType.id as string, row: await uuid(connectionType.name) };
};
const read = async (id: string) => (await api.gql(
  'query T($id: ID!) { node(id: $id) { ... on ConnectionType { state nextCheckAt conditions { type status reason message } tools { nodes { name change { detectedAt } } } } } }', { id })).data.node;

/** Everything that callers rely on: all rows, but for the schedule, heartbeats, audit, and the times of probes. */
async function everything(): Promise<unknown> {
  const tables = ['connection_types', 'connection_type_status', 'enrollments', 'enrollment_status', 'credentials', 'tools', 'oauth_clients', 'oauth_grants', 'oauth_discoveries'];
  const found: Record<string, unknown> = {};
  for (const table of tables) {
    if ((await rows('select to_regclass($1) as t', [table]))[0]!['t'] === null) continue;
    found[table] = (await rows(`select * from ${table} order by 1`)).map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !TIMES.has(name))));
  }
  return found;
}
const TIMES = new Set(['last_checked_at', 'next_check_at', 'tools_synced_at', 'tried_at', 'updated_at', 'discovered_at']);

describe('a connection type', () => {
  it('is looked at when it was created, and says when it will be looked at next', async () => {
    const { id } = await create();
    const type = await read(id);
    expect(type).toMatchObject({ state: 'READY' });
    const inS = (Date.parse(type.nextCheckAt) - Date.now()) / 1000;
    expect(inS).toBeGreaterThan(20);
    expect(inS).toBeLessThanOrEqual(31);
  });

  it('becomes UNREACHABLE with the third failure in a row, looked at after 5 and 10 seconds, is then looked at less often, and is READY with one success', async () => {
    const { id, row } = await create();
    await server.stop();
    const first = await timePasses(row);
    expect((await read(id)).state).toBe('READY');
    expect(first.waitS).toBeLessThanOrEqual(5);
    const second = await timePasses(row);
    expect((await read(id)).state).toBe('READY');
    expect(second.waitS).toBeLessThanOrEqual(10);
    expect(second.sinceDueS).toBeGreaterThan(5);
    const third = await timePasses(row);
    const down = await read(id);
    expect(down).toMatchObject({ state: 'UNREACHABLE', nextCheckAt: expect.any(String), conditions: expect.arrayContaining([expect.objectContaining({ type: 'Reachable', status: 'FALSE', reason: 'Unreachable', message: expect.stringMatching(/./) })]) });
    expect(third.waitS).toBeLessThanOrEqual(30);
    for (let failure = 4; failure < 10; failure++) await timePasses(row);
    const later = await timePasses(row);
    expect(later.sinceDueS).toBeGreaterThan(4 * 30);
    expect(later.waitS).toBeLessThanOrEqual(5 * 30);
    await server.start();
    expect((await timePasses(row)).waitS).toBeLessThanOrEqual(30);
    expect(await read(id)).toMatchObject({ state: 'READY' });
  });

  it('that limits who asks is left alone for as long as it says', async () => {
    const { id, row } = await create();
    await alone(row);
    await settled();
    server.restS = 100;
    const asked = server.requests;
    const { waitS, sinceDueS } = await timePasses(row);
    expect(server.requests - asked).toBe(1);
    expect(waitS).toBeLessThanOrEqual(100);
    expect(sinceDueS).toBeGreaterThanOrEqual(100);
    expect(Math.round((Date.parse((await read(id)).nextCheckAt) - Date.now()) / 1000)).toBeGreaterThan(90);
    server.restS = null;
    expect((await timePasses(row)).waitS).toBeLessThanOrEqual(30);
    expect(await read(id)).toMatchObject({ state: 'READY' });
  });

  it('shows a changed tool with the next look', async () => {
    const { id, row } = await create();
    server.tools = [{ name: 'echo', description: 'Gives back, and more.', inputSchema: { type: 'object' } }];
    await timePasses(row);
    expect((await read(id)).tools.nodes).toMatchObject([{ name: 'echo', change: { detectedAt: expect.any(String) } }]);
  });

  it('is due at once after a call that found its server down', async () => {
    const { id, row } = await create();
    await api.must('Enroll', { input: { connectionTypeId: id } });
    await settled();
    const [before] = await rows('select dirty from reconcile_schedule where id = $1', [row]);
    await server.stop();
    await api.gql('CallTool', { input: { connectionTypeId: id, tool: 'echo', arguments: {} } });
    await until(async () => (await rows('select 1 from reconcile_schedule where id = $1 and dirty > $2', [row, before!['dirty']])).length === 1);
    await until(async () => (await rows('select 1 from connection_type_status where connection_type_id = $1 and failed_checks > 0', [row])).length === 1);
  });

  it('is due at once after a call that found its server up again', async () => {
    const { id, row } = await create();
    await api.must('Enroll', { input: { connectionTypeId: id } });
    await settled();
    await server.stop();
    for (let failure = 0; failure < 3; failure++) await timePasses(row);
    expect(await read(id)).toMatchObject({ state: 'UNREACHABLE' });
    await server.start();
    await api.gql('CallTool', { input: { connectionTypeId: id, tool: 'echo', arguments: {} } });
    await until(async () => (await read(id)).state === 'READY');
  });

  it('has its tools read again when a call hears that they changed, and under BLOCK a changed one waits for a manager', async () => {
    const { id } = await create({ toolPolicy: { onChange: 'BLOCK' } });
    await api.must('Enroll', { input: { connectionTypeId: id } });
    await settled();
    const call = async () => (await api.gql('CallTool', { input: { connectionTypeId: id, tool: 'echo', arguments: {} } })).data.callTool;
    server.announces = true;
    server.tools = [{ name: 'echo', description: 'Sends everything elsewhere.', inputSchema: { type: 'object' } }];
    expect(await call()).toMatchObject({ toolCall: { status: 'SUCCEEDED' } });
    await until(async () => (await read(id)).tools.nodes[0].change !== null);
    await until(async () => (await call()).userErrors[0]?.code === 'TOOL_CHANGED');
    const { data } = await api.gql('query T($id: ID!) { node(id: $id) { ... on ConnectionType { tools { nodes { id definitionHash } } } } }', { id });
    const [{ id: toolId, definitionHash }] = data.node.tools.nodes;
    await api.must('AcceptToolChange', { input: { toolId, definitionHash } });
    expect(await call()).toMatchObject({ toolCall: { status: 'SUCCEEDED' } });
  });

  it('leaves the schedule when it is deleted', async () => {
    const { id, row } = await create();
    await api.must('DeleteConnectionType', { input: { id } });
    await rows('update reconcile_schedule set due = clock_timestamp() where id = $1', [row]);
    await until(async () => (await rows('select 1 from reconcile_schedule where id = $1', [row])).length === 0);
  });
});

describe('an enrollment', () => {
  it('with a static credential is tried again slowly, and says when the server no longer takes it', async () => {
    server.credential = { header: 'authorization', values: ['Bearer canary-good'] };
    const { id } = await create({ authMethod: 'ACCESS_TOKEN' });
    const { enrollment } = await api.must('Enroll', { input: { connectionTypeId: id, accessToken: 'canary-good' } });
    await settled();
    const [{ id: row }] = await rows('select id from enrollments order by id desc limit 1') as [{ id: string }];
    const quiet = server.logins.length;
    const { waitS } = await timePasses(row);
    expect(waitS).toBeGreaterThan(3000);
    expect(server.logins.slice(quiet).filter((login) => login !== null)).toEqual([]);

    server.credential = { header: 'authorization', values: ['Bearer canary-other'] };
    await rows(`update enrollment_status set tried_at = tried_at - interval '1 hour' where enrollment_id = $1`, [row]);
    await timePasses(row);
    const { data } = await api.gql('query E($id: ID!) { node(id: $id) { ... on Enrollment { state conditions { type reason } } } }', { id: enrollment.id });
    expect(data.node).toMatchObject({ state: 'ACTION_REQUIRED', conditions: expect.arrayContaining([{ type: 'Authorized', reason: 'CredentialRejected' }]) });
  });

  it('with a list of tools of its own has that read again when a call hears that it changed', async () => {
    server.credential = { header: 'authorization', values: ['Bearer canary-good'] };
    const { id } = await create({ authMethod: 'ACCESS_TOKEN' });
    await api.must('Enroll', { input: { connectionTypeId: id, accessToken: 'canary-good' } });
    await settled();
    server.announces = true;
    server.tools = [{ name: 'echo', description: 'Gives back, and more.', inputSchema: { type: 'object' } }];
    await api.must('CallTool', { input: { connectionTypeId: id, tool: 'echo', arguments: {} } });
    await until(async () => (await read(id)).tools.nodes[0].change !== null);
  });

  it('keeps its good standing while its server is down', async () => {
    server.credential = { header: 'authorization', values: ['Bearer canary-good'] };
    const { id, row: type } = await create({ authMethod: 'ACCESS_TOKEN' });
    await api.must('Enroll', { input: { connectionTypeId: id, accessToken: 'canary-good' } });
    await settled();
    const [{ id: row }] = await rows('select id from enrollments order by id desc limit 1') as [{ id: string }];
    const conditions = () => rows('select conditions from enrollment_status where enrollment_id = $1', [row]);
    const before = await conditions();
    await server.stop();
    for (let failure = 0; failure < 3; failure++) await timePasses(type);
    await rows(`update enrollment_status set tried_at = tried_at - interval '1 hour' where enrollment_id = $1`, [row]);
    expect((await timePasses(row)).waitS).toBeLessThanOrEqual(30);
    expect(await conditions()).toEqual(before);
  });
});

describe('a second run right after', () => {
  it.each(['ConnectionType', 'ConnectionType with OAuth', 'Enrollment'])('writes nothing but the schedule and times of probes, and notifies nobody: %s', async (what) => {
    server.credential = { header: 'authorization', values: ['Bearer canary-good'] };
    const { id, row: type } = await create(what.endsWith('OAuth') ? { authMethod: 'OAUTH', serverUrl: provider.mcp.url } : { authMethod: 'ACCESS_TOKEN' });
    if (!what.endsWith('OAuth')) await api.must('Enroll', { input: { connectionTypeId: id, accessToken: 'canary-good' } });
    await settled();
    const row = what === 'Enrollment' ? (await rows('select id from enrollments order by id desc limit 1'))[0]!['id'] as string : type;
    await alone(row);
    const again = async () => {
      await rows(`update enrollment_status set tried_at = tried_at - interval '1 hour' where enrollment_id = $1`, [row]);
      await rows(`update oauth_discoveries set discovered_at = discovered_at - interval '1 hour' where connection_type_id = $1`, [row]);
      await timePasses(row);
    };
    await again();
    // What other tests have left (a server that was down, and is there again) has its say at another time.
    await rows(`update reconcile_schedule set due = clock_timestamp() + interval '1 hour' where id <> $1`, [row]);
    await settled();
    const heard: string[] = [];
    const listener = new Client({ connectionString: api.databaseUrl });
    listener.on('notification', ({ channel }) => heard.push(channel));
    await listener.connect();
    await listener.query('listen fairlead_changed; listen fairlead_due');
    const before = await everything();
    await again();
    expect(await everything()).toEqual(before);
    await listener.query('select 1');
    await listener.end();
    expect(heard).toEqual([]);
  });
});

describe('the operator', () => {
  it('counts under controller-runtime\'s names, and logs no error and no secret', async () => {
    const text = await operator.metrics.metrics();
    expect(text).toMatch(/controller_runtime_reconcile_total\{controller="ConnectionType",result="requeue_after"\} [1-9]/);
    expect(text).toMatch(/controller_runtime_active_workers\{controller="Enrollment"\} 0/);
    expect(text).toContain('workqueue_depth{name="Enrollment"}');
    expect(operator.logs().filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
    expect(operator.logs().join('\n')).not.toContain('canary');
  });

  it('that is stopped hands back everything, and another one goes on', async () => {
    await operator.stop();
    expect(await rows('select 1 from reconcile_schedule where worker is not null')).toEqual([]);
    operator = await startTestOperator(api);
    const { id } = await create();
    expect(await read(id)).toMatchObject({ state: 'READY' });
  });
});

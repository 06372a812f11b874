import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connectionTypeSpec } from '#core/connection/spec.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { MIGRATED } from '#test/support/api.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { startScripted, type Exchange, type ScriptedServer } from '#test/support/mcp-servers/scripted.js';
import { until } from '#test/support/mcp-servers/until.js';
import { openStore } from '#test/support/open-store.js';
import { startOperatorProcess, type OperatorProcess } from '#test/support/operator-process.js';

/** Operators as they are shipped, as processes that die and stand still, on one database. */

/** Others believe in a worker for six seconds after its last beat: longer than a machine that is busy with starting the other one makes it stand still. */
const ENV = { FAIRLEAD_OPERATOR_HEARTBEAT_MS: '2000', FAIRLEAD_LOG_LEVEL: 'info' };
const OVER = 'a run was over: somebody else has claimed its object';

let database: TestDatabase;
let store: Awaited<ReturnType<typeof openStore>>;
let teamId: string;
let server: ScriptedServer;
const keys = KeyRing.generateEntry();
const operators: OperatorProcess[] = [];
/** Lists of tools that were asked for and aren't answered yet, oldest first. */
const held: Exchange[] = [];
let holding = true;
let count = 0;

beforeAll(async () => {
  database = await createDatabase(MIGRATED);
  store = await openStore(database.url);
  teamId = (await store.teams.insert('crew', 'Crew')).id;
  server = await startScripted({ methods: { 'tools/list': (exchange) => (holding ? void held.push(exchange) : answer(exchange, 'new')) } });
});
afterEach(async () => {
  for (const one of operators.splice(0)) {
    one.process.kill('SIGCONT');
    one.process.kill('SIGTERM');
    await one.ended;
  }
  await store.dataSource.query('delete from connection_types');
  await store.dataSource.query('delete from reconcile_schedule');
  await store.dataSource.query('delete from processes');
  held.length = 0;
  holding = true;
});
afterAll(async () => {
  await store?.close();
  await database?.drop();
  await server?.close();
});

const answer = (exchange: Exchange, tool: string) => exchange.result({ tools: [{ name: tool, inputSchema: { type: 'object' } }] });
const rows = async (sql: string, values: unknown[] = []) => (await store.dataSource.query(sql, values)) as Record<string, unknown>[];

async function operator(): Promise<OperatorProcess> {
  const started = await startOperatorProcess({ databaseUrl: database.url, keys, env: ENV });
  operators.push(started);
  return started;
}

async function type(): Promise<string> {
  const spec = connectionTypeSpec.parse({ displayName: 'A', serverUrl: server.url, authMethod: 'NONE', health: { intervalSeconds: 3600, timeoutSeconds: 60 } });
  return (await store.connectionTypes.insert(teamId, `type-${++count}`, spec)).id;
}

/** Everything that a run writes of a type. */
async function written(id: string) {
  return {
    schedule: await rows('select epoch, worker, due, failures from reconcile_schedule where id = $1', [id]),
    status: await rows('select * from connection_type_status where connection_type_id = $1', [id]),
    tools: await rows('select name, removed_at from tools where connection_type_id = $1 order by name', [id]),
  };
}
const ended = (id: string, epoch: string) => until(async () => (await rows('select 1 from reconcile_schedule where id = $1 and epoch = $2 and worker is null', [id, epoch])).length === 1);

describe('an operator', () => {
  it('that is killed in the middle of its runs is found dead by its heartbeat, and another one does them', async () => {
    const types = await Promise.all(Array.from({ length: 5 }, type));
    const first = await operator();
    await until(() => held.length === types.length);
    const second = await operator();
    first.process.kill('SIGKILL');
    expect(await first.ended).toMatchObject({ signal: 'SIGKILL' });
    holding = false;
    for (const id of types) {
      await ended(id, '2');
      expect(await written(id)).toMatchObject({ tools: [{ name: 'new' }], status: [{ tools_source: 'ANONYMOUS', failed_checks: 0 }] });
    }
    expect(second.logged(OVER)).toEqual([]);

    const metrics = await (await fetch(second.metricsUrl)).text();
    expect(metrics).toMatch(/^fairlead_probes_total\{verdict="ok"\} 5$/m);
    expect(metrics).toMatch(/^fairlead_listener_connected\{part="operator"\} 1$/m);
    expect(metrics).toMatch(/^fairlead_operator_heartbeat_age_seconds [0-9.]+$/m);
    expect((await fetch(new URL('/healthz', second.metricsUrl))).status).toBe(200);
    const ready = await fetch(new URL('/readyz', second.metricsUrl));
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ok', checks: { database: 'ok', heartbeat: 'ok' } }]);
  });

  it('that stands still for longer than its heartbeat is believed loses its runs, and what it still wants to write is refused by its epoch', async () => {
    const id = await type();
    const paused = await operator();
    await until(() => held.length === 1);
    paused.process.kill('SIGSTOP');
    holding = false;
    await operator();
    await ended(id, '2');
    const before = await written(id);
    expect(before.tools).toEqual([{ name: 'new', removed_at: null }]);
    // What it was told before everything changed.
    answer(held[0]!, 'old');
    paused.process.kill('SIGCONT');
    await until(() => paused.logged(OVER).length === 1);
    expect(paused.logged(OVER)).toMatchObject([{ kind: 'ConnectionType', id }]);
    expect(await written(id)).toEqual(before);

    // It lives again, and works on: with the other one gone, all by itself.
    const other = operators.pop()!;
    other.process.kill('SIGTERM');
    expect(await other.ended).toEqual({ code: 0, signal: null });
    await store.schedule.mark('ConnectionType', [id]);
    await ended(id, '3');
  });

  it('that is told to stop lets its runs finish, and leaves nothing behind', async () => {
    const id = await type();
    const stopping = await operator();
    await until(() => held.length === 1);
    stopping.process.kill('SIGTERM');
    answer(held[0]!, 'last');
    expect(await stopping.ended).toEqual({ code: 0, signal: null });
    expect(await written(id)).toMatchObject({ schedule: [{ epoch: '1', worker: null, failures: 0 }], tools: [{ name: 'last' }] });
    expect(await rows('select 1 from processes')).toEqual([]);
  });
});

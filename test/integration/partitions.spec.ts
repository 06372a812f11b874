import { Client } from 'pg';
import { v7 } from 'uuid';
import { Housekeeping } from '#operator/housekeeping.js';
import { OperatorMetrics } from '#operator/runtime/metrics.js';
import { connectionTypeSpec } from '#core/connection/spec.js';
import { createLogger } from '#core/log.js';
import { CallLog } from '#core/store/call-log.js';
import type { ToolCall } from '#core/store/entities/tool-call.entity.js';
import { newId } from '#core/store/ids.js';
import { MIGRATIONS } from '#core/store/migrations/index.js';
import { AUDIT, CALLS, Partitions, type PartitionedTable } from '#core/store/partitions.js';
import { createRegistry } from '#core/metrics.js';
import { MIGRATED } from '#test/support/api.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { until } from '#test/support/mcp-servers/until.js';
import { openStore } from '#test/support/open-store.js';

const DAY_MS = 86_400_000;
/** A Thursday, as 1970-01-01 was: the first day of a period of seven days, and of one of 28. */
const START = Date.parse('2026-10-29T00:00:00Z');
const at = (days: number) => new Date(START + days * DAY_MS);
const idAt = (days: number) => v7({ msecs: at(days).getTime() });

let database: TestDatabase;
let store: Awaited<ReturnType<typeof openStore>>;
let log: CallLog;
let team: string;
beforeEach(async () => {
  database = await createDatabase(MIGRATED);
  store = await openStore(database.url);
  log = new CallLog(database.url);
  team = (await store.teams.insert('crew', 'Crew')).id;
});
afterEach(async () => {
  await log.close();
  await store.close();
  await database.drop();
});

const query = <T>(sql: string, values: unknown[] = []): Promise<T[]> => store.dataSource.query(sql, values);
const partitions = async (table: PartitionedTable) => (await query<{ name: string }>(`select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::regclass order by 1`, [table.name])).map(({ name }) => name);
const placeOf = async (id: string, table = CALLS) => (await query<{ place: string }>(`select tableoid::regclass::text as place from ${table.name} where id = $1`, [id]))[0]?.place;

function callOf(id: string, days: number, values: Partial<ToolCall> = {}): ToolCall {
  return {
    id, teamId: team, processId: newId(), callerId: newId(), callerName: 'ada', onBehalfOfId: null, onBehalfOfName: null, tokenId: null, requestId: 'r', connectionTypeId: newId(),
    connectionTypeName: 'stock', enrollmentId: newId(), enrollmentLabel: '', tool: 'echo', status: 'RUNNING', error: null, startedAt: at(days), finishedAt: null, durationMs: null, kept: false,
    cancelRequestedAt: null, assignmentId: null, assignmentName: null, progress: null, ...values,
  };
}
const ENDED = { status: 'SUCCEEDED', finishedAt: at(0), durationMs: 1 } as const;

async function record(days: number, values: Partial<ToolCall> = {}): Promise<string> {
  const id = idAt(days);
  await log.write([callOf(id, days, { ...ENDED, ...values })], true);
  return id;
}

it('partitions are made ahead, take what is theirs, and a call that spans their making ends as the same row', async () => {
  const [now, next, far] = [idAt(0.1), idAt(8), idAt(300)];
  await log.write([callOf(now, 0.1)], true);
  expect(await placeOf(now)).toBe('tool_calls_default');

  expect(await store.partitions.tend(CALLS, at(0.5), { keptDays: 90, ahead: 1 })).toEqual({ made: ['tool_calls_20261029', 'tool_calls_20261105'], dropped: [], skipped: false });
  await log.write([callOf(now, 0.1, ENDED)], false);
  await log.write([callOf(next, 8), callOf(far, 300)], true);
  expect(await Promise.all([now, next, far].map((id) => placeOf(id)))).toEqual(['tool_calls_20261029', 'tool_calls_20261105', 'tool_calls_default']);
  expect(await store.toolCalls.byId(now)).toMatchObject({ status: 'SUCCEEDED' });
  expect(await query('select 1 from tool_calls')).toHaveLength(3);

  expect(await store.partitions.tend(CALLS, at(0.6), { keptDays: 90, ahead: 1 })).toEqual({ made: [], dropped: [], skipped: false });
  expect(await store.partitions.tend(CALLS, at(7), { keptDays: 90, ahead: 1 })).toMatchObject({ made: ['tool_calls_20261112'] });
});

it('pages go on from one partition to the next, newest first', async () => {
  const ids = [await record(1), await record(8), await record(15), await record(40)];
  await store.partitions.tend(CALLS, at(1), { keptDays: 90, ahead: 2 });
  const first = await store.toolCalls.page(team, null, {}, { first: 2, after: null });
  expect(first).toMatchObject({ hasNextPage: true, rows: [{ id: ids[3] }, { id: ids[2] }] });
  expect(await store.toolCalls.page(team, null, {}, { first: 2, after: ids[2]! })).toMatchObject({ hasNextPage: false, rows: [{ id: ids[1] }, { id: ids[0] }] });
  expect(await store.toolCalls.count(team, null, {})).toBe(4);
});

it('what is too old is dropped by the partition, and row by row where it has none', async () => {
  await store.partitions.tend(CALLS, at(0), { keptDays: 90, ahead: 1 });
  const [old, recent, stray] = [await record(6), await record(7.5), await record(-30)];
  // An id that isn't of version 7 says nothing of its row's age.
  const [oldAsWell, young] = ['ffffffff-1111-4111-8111-111111111111', 'eeeeeeee-1111-4111-8111-111111111111'];
  await log.write([callOf(oldAsWell, 3, ENDED), callOf(young, 50, ENDED)], true);
  // The first week ends with day 7: 90 days after that it may go, and not a moment sooner.
  expect(await store.partitions.tend(CALLS, new Date(at(97).getTime() - 1), { keptDays: 90, ahead: 0 })).toMatchObject({ dropped: [] });
  expect(await store.partitions.tend(CALLS, at(97), { keptDays: 90, ahead: 0 })).toMatchObject({ dropped: ['tool_calls_20261029'] });
  expect([await placeOf(old), await placeOf(recent), await placeOf(stray)]).toEqual([undefined, 'tool_calls_20261105', 'tool_calls_default']);
  expect(await store.partitions.deleteStray(CALLS, at(97), 90, 500)).toBe(2);
  expect([await placeOf(stray), await placeOf(oldAsWell), await placeOf(young)]).toEqual([undefined, undefined, 'tool_calls_default']);
});

it('many processes may do it at once, under calls', async () => {
  const other = await openStore(database.url);
  const ids: string[] = [];
  let going = true;
  const calling = (async () => {
    for (let n = 0; going; n += 1) ids.push(await record((n % 30) + 0.5));
  })();
  // Whoever would have to wait for long, or finds the other one at it, leaves it for another time.
  const tended = async (n: number) => (await Promise.all([store, other].map((one) => one.partitions.tend(CALLS, at(n * 7), { keptDays: 90, ahead: 3 })))).some(({ skipped }) => !skipped);
  for (let n = 0; n < 4; n += 1) await until(() => tended(n));
  going = false;
  await calling;
  expect((await partitions(CALLS)).filter((name) => name !== 'tool_calls_default')).toHaveLength(7);
  expect(await query('select 1 from tool_calls')).toHaveLength(ids.length);
  expect(new Set(await Promise.all(ids.slice(0, 60).map((id) => placeOf(id)))).size).toBeGreaterThan(1);
  await other.close();
});

it('who reads for long makes it wait, and nobody else', async () => {
  const reader = new Client({ connectionString: database.url });
  await reader.connect();
  await reader.query('begin');
  await reader.query('lock table tool_calls_default in share mode');
  await reader.query('select count(*) from tool_calls');
  expect(await store.partitions.tend(CALLS, at(0), { keptDays: 90, ahead: 1 })).toEqual({ made: [], dropped: [], skipped: true });
  await reader.query('commit');
  await reader.end();
  expect(await store.partitions.tend(CALLS, at(0), { keptDays: 90, ahead: 0 })).toMatchObject({ made: ['tool_calls_20261029'] });
});

it('the audit trail is kept by four weeks, and goes with its team', async () => {
  const event = { teamId: team, actorId: null, actorName: 'ada', onBehalfOfName: null, tokenId: null, action: 'createToken', subjectType: null, subjectId: null, subjectName: null, outcome: 'SUCCEEDED', code: null, requestId: 'r' } as const;
  await store.audit.append(event);
  const now = new Date();
  const { made } = await store.partitions.tend(AUDIT, now, { keptDays: 400, ahead: 1 });
  expect(made).toHaveLength(2);
  await store.audit.append(event);
  expect(new Set((await query<{ place: string }>('select tableoid::regclass::text as place from audit_events')).map(({ place }) => place))).toEqual(new Set([made[0]]));
  expect(await store.audit.page(team, { first: 10, after: null })).toMatchObject({ rows: [{ action: 'createToken' }, { action: 'createToken' }] });
  await query('delete from teams where id = $1', [team]);
  expect(await query('select 1 from audit_events')).toEqual([]);
});

it('the migration keeps what was there, as the first partition, and what claims to be of the far future', async () => {
  const old = await createDatabase();
  const client = new Client({ connectionString: old.url });
  await client.connect();
  const runner = { query: (sql: string) => client.query(sql) } as unknown as Parameters<InstanceType<(typeof MIGRATIONS)[number]>['up']>[0];
  for (const Migration of MIGRATIONS.slice(0, 4)) await new Migration().up(runner);
  const [past, strange] = [v7({ msecs: Date.now() - 40 * DAY_MS }), 'ffffffff-1111-4111-8111-111111111111'];
  await client.query(`insert into teams (id, slug, display_name) values ($1, 'crew', 'Crew')`, [team]);
  for (const id of [past, strange]) {
    await client.query(
      `insert into tool_calls (id, team_id, process_id, caller_id, caller_name, request_id, connection_type_id, connection_type_name, enrollment_id, enrollment_label, tool, status, started_at, kept)
       values ($1, $2, $2, $2, 'ada', 'r', $2, 'stock', $2, '', 'echo', 'RUNNING', now() - interval '40 days', false)`, [id, team]);
  }
  await client.query('begin');
  await new MIGRATIONS[4]!().up(runner);
  await client.query('commit');
  expect((await client.query('select id, tableoid::regclass::text as place from tool_calls order by id')).rows).toEqual([{ id: past, place: 'tool_calls_before' }, { id: strange, place: 'tool_calls_default' }]);
  expect((await client.query(`select inhrelid::regclass::text as name from pg_inherits where inhparent = 'audit_events'::regclass`)).rows).toEqual([{ name: 'audit_events_default' }]);

  const migrated = await openStore(old.url);
  const tend = (days: number) => new Partitions(migrated.manager).tend(CALLS, new Date(Date.now() + days * DAY_MS), { keptDays: 90, ahead: 3 });
  expect((await tend(0)).made.length).toBeGreaterThanOrEqual(2);
  expect((await tend(0)).made).toEqual([]);
  expect((await tend(120)).dropped).toContain('tool_calls_before');
  await migrated.close();
  await client.end();
  await old.drop();
});

it('the operator ends calls of dead processes, and what is kept for a while goes when its time is over', async () => {
  const running = newId();
  await log.write([callOf(running, 0, { startedAt: new Date() })], true);
  const housekeeping = new Housekeeping({ store, metrics: new OperatorMetrics(createRegistry()), deadAfterMs: 15_000, keptDays: { calls: 90, audit: 400 }, now: () => new Date(), logger: createLogger('silent') });
  const payload = (id: string, interval: string) => query(`insert into tool_call_payloads (tool_call_id, team_id, sealed_arguments, expires_at) values ($1, $2, '\\x00', now() + $3::interval)`, [id, team, interval]);
  const [over, still] = [newId(), newId()];
  await Promise.all([payload(over, '-1 second'), payload(still, '1 hour')]);
  await query(`insert into tool_call_payloads (tool_call_id, team_id, sealed_arguments, expires_at) select gen_random_uuid(), $1, '\\x00', now() - interval '1 minute' from generate_series(1, 1200)`, [team]);
  await query(`insert into idempotency_keys (scope, key, team_id, request_hash, tool_call_id, expires_at) values ('\\x01', 'old', $1, '\\x02', $2, now() - interval '1 minute')`, [team, over]);
  for (const days of [40, 20]) {
    await query(`insert into tokens (id, kind, name, prefix, hash, expires_at) values ($1, 'INSTALLATION', 'old', $2, $3, now() - make_interval(days => $4))`, [newId(), `p${days}`, Buffer.from([days]), days]);
  }
  const ada = await store.members.upsert({ teamId: team, subject: 'ada', local: true, displayName: 'ada', role: 'MEMBER', source: 'API' });
  const type = await store.connectionTypes.insert(team, 'stock', connectionTypeSpec.parse({ displayName: 'Stock', authMethod: 'OAUTH', serverUrl: 'https://mcp.example.com' }));
  const enrollment = newId();
  await query(`insert into enrollments (id, team_id, connection_type_id, owner_id, origin, confirmed_target) values ($1, $2, $3, $4, 'API', '{}')`, [enrollment, team, type.id, ada.id]);
  for (const [n, [state, expires, updated]] of Object.entries([['LINKED', '-1 minute', '0 days'], ['LINKED', '1 minute', '0 days'], ['DENIED', '-31 days', '-31 days'], ['READY', '-40 days', '-1 day']])) {
    await query(
      `insert into oauth_authorizations (id, team_id, enrollment_id, member_id, state, link_hash, expires_at, updated_at) values ($1, $2, $3, $4, $5, $6, now() + $7::interval, now() + $8::interval)`,
      [`0000000${n}-0000-7000-8000-000000000000`, team, enrollment, ada.id, state, Buffer.from([Number(n)]), expires, updated]);
  }
  // Decisions: of calls whose records went by age, of one that is there, and one that was asked for a moment ago, whose record is on its way.
  const decision = (id: string, state: string, expires: string) =>
    query(`insert into tool_call_approvals (tool_call_id, team_id, state, binding, comment, expires_at) values ($1, $2, $3, '\\x00', 'because', now() + $4::interval)`, [id, team, state, expires]);
  const asked = newId();
  await Promise.all([decision(newId(), 'APPROVED', '-90 days'), decision(newId(), 'DENIED', '-90 days'), decision(running, 'APPROVED', '-90 days'), decision(asked, 'PENDING', '1 day')]);
  housekeeping.start();
  await housekeeping.stop();
  expect((await query<{ id: string }>('select tool_call_id as id from tool_call_approvals')).map(({ id }) => id).sort()).toEqual([running, asked].sort());
  expect(await store.toolCalls.byId(running)).toMatchObject({ status: 'OUTCOME_UNKNOWN', error: { message: expect.stringContaining('may have run') } });
  expect(await query('select tool_call_id as id from tool_call_payloads')).toEqual([{ id: still }]);
  expect(await query('select 1 from idempotency_keys')).toEqual([]);
  expect(await query('select prefix from tokens')).toEqual([{ prefix: 'p20' }]);
  expect(await query('select state from oauth_authorizations order by id')).toEqual([{ state: 'EXPIRED' }, { state: 'LINKED' }, { state: 'READY' }]);
  expect((await partitions(CALLS)).length).toBe(5);
});

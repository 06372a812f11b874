import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { connectionTypeSpec } from '#core/connection/spec.js';
import type { ProbeReport } from '#core/mcp/probe.js';
import type { RawTool } from '#core/mcp/session.js';
import type { Claim } from '#core/store/schedule.js';
import type { TypeSituation } from '#core/store/type-looks.js';
import { nothingNew } from '#core/upkeep/look-outcome.js';
import { StatusWriter } from '#core/upkeep/status-writer.js';
import { MIGRATED } from '#test/support/api.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { openStore } from '#test/support/open-store.js';

/** Looks that find nothing new are settled without the type's lock, many by one statement: what that must never overwrite. */

const ECHO: RawTool = { name: 'echo', description: 'Gives back – \u{1F501}.', inputSchema: { type: 'object' } };
const SUM: RawTool = { name: 'sum', inputSchema: { type: 'object' } };
const OK: ProbeReport = {
  verdict: 'OK', message: '', era: 'LEGACY', protocolVersion: '2025-11-25', server: { name: 'test', version: '1' }, toolCount: 2, tools: [SUM, ECHO], challenge: null, retryAfterMs: null, steps: [],
};
const seen = (values: Partial<ProbeReport> = {}) => ({ report: { ...OK, ...values }, shared: 'AS_IT_IS' as const });

let database: TestDatabase;
let store: Awaited<ReturnType<typeof openStore>>;
let teamId: string;
let situation: TypeSituation;
let claim: Claim;

beforeAll(async () => {
  database = await createDatabase(MIGRATED);
  store = await openStore(database.url);
  teamId = (await store.teams.insert('looks', 'Looks')).id;
});
afterAll(async () => {
  await store?.close();
  await database?.drop();
});

const query = (sql: string, values: unknown[] = []) => store.dataSource.query(sql, values);
const at = async (id: string) => (await store.typeLooks.situations([id]))[0]!;
const settle = async (requeueAfterMs = 60_000) => [...await store.typeLooks.settle([{ claim, situation, toolsRead: true, requeueAfterMs }])];
const row = async () => (await query(`select worker, failures, extract(epoch from due - clock_timestamp())::float8 as in_s from reconcile_schedule where id = $1`, [claim.id]) as { worker: string | null; failures: number; in_s: number }[])[0]!;

beforeEach(async () => {
  await query('delete from connection_types');
  await query('delete from reconcile_schedule');
  const type = await store.connectionTypes.insert(teamId, 'type', connectionTypeSpec.parse({ displayName: 'A', serverUrl: 'https://one.example/mcp', authMethod: 'NONE' }));
  const { report, shared } = seen();
  await store.transaction((repositories) => new StatusWriter(() => new Date()).writeType(repositories, type, report, shared));
  const worker = randomUUID();
  await store.processes.beat(worker, 'test', 1);
  [claim] = await store.schedule.claim({ worker, limit: 1, kinds: ['ConnectionType'], perLane: 1, running: new Map() }) as [Claim];
  situation = await at(type.id);
});

it('a list that was read through a shared login since the look began is not ended by it; by a later one that finds nobody who shares, it is', async () => {
  const began = new Date();
  await store.connectionTypes.updateStatus(situation.type.id, { toolsSource: 'SHARED', toolsSyncedAt: new Date(began.getTime() + 1) });
  const wanted: ProbeReport = { ...OK, verdict: 'AUTHENTICATION_REQUIRED', tools: null, toolCount: null };
  const look = (from: Date) => store.transaction((repositories) => new StatusWriter(() => new Date()).writeType(repositories, situation.type, wanted, 'NONE', true, from));
  await look(began);
  expect((await at(situation.type.id)).status.toolsSource).toBe('SHARED');
  await look(new Date(began.getTime() + 2));
  expect((await at(situation.type.id)).status.toolsSource).toBeNull();
});

describe('a look finds nothing new', () => {
  it('when server, conditions and tools are as they are on record, in whatever order the tools come', () => {
    expect(nothingNew(situation, seen())).toBe(true);
    expect(nothingNew(situation, seen({ tools: [ECHO, SUM] }))).toBe(true);
  });

  it.each<[string, Partial<ProbeReport>]>([
    ['a tool changed', { tools: [SUM, { ...ECHO, description: 'Otherwise.' }] }],
    ['a tool is gone', { tools: [SUM] }],
    ['a tool is new', { tools: [SUM, ECHO, { ...SUM, name: 'difference' }] }],
    ['the server was renamed', { server: { name: 'other', version: '1' } }],
    ['the server wants a login now', { verdict: 'AUTHENTICATION_REQUIRED', tools: null }],
    ['the server doesn\'t answer', { verdict: 'UNREACHABLE', tools: null }],
  ])('but not when %s', (_what, values) => {
    expect(nothingNew(situation, seen(values))).toBe(false);
  });

  it('but not when the look before it failed', () => {
    expect(nothingNew({ ...situation, status: { ...situation.status, failedChecks: 1 } }, seen())).toBe(false);
  });
});

describe('such a look', () => {
  it('isn\'t begun at a type that is hidden', async () => {
    await query('update connection_types set deleted_at = now() where id = $1', [claim.id]);
    expect(await store.typeLooks.situations([claim.id])).toEqual([]);
  });

  it('writes its times and ends its run, at once', async () => {
    expect(await settle()).toEqual([claim.id]);
    expect(await row()).toMatchObject({ worker: null, failures: 0 });
    const after = await at(claim.id);
    expect(after.status).toMatchObject({ conditions: situation.status.conditions, failedChecks: 0, toolsSource: 'ANONYMOUS' });
    expect(after.status.nextCheckAt!.getTime() - after.status.lastCheckedAt!.getTime()).toBe(60_000);
    expect(after.status.toolsSyncedAt).toEqual(after.status.lastCheckedAt);
  });

  it('leaves an object that was marked meanwhile due', async () => {
    await store.schedule.mark('ConnectionType', [claim.id]);
    expect(await settle()).toEqual([claim.id]);
    expect((await row()).in_s).toBeLessThanOrEqual(0);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['the spec was changed', () => store.connectionTypes.updateSpec(claim.id, 1, { ...situation.type.spec, displayName: 'B' })],
    ['the status was written', () => store.connectionTypes.updateStatus(claim.id, { failedChecks: 1 })],
    ['somebody else has claimed it', () => query('update reconcile_schedule set epoch = epoch + 1 where id = $1', [claim.id])],
    ['the run was ended', () => store.schedule.finish(claim, 5000, 3)],
    ['the type was hidden', () => query('update connection_types set deleted_at = now() where id = $1', [claim.id])],
    ['the type was deleted', () => query('delete from connection_types where id = $1', [claim.id])],
  ])('writes nothing when %s', async (_what, happens) => {
    await happens();
    const before = [await row(), await store.connectionTypes.statuses([claim.id])];
    expect(await settle()).toEqual([]);
    expect([{ ...await row(), in_s: 0 }, await store.connectionTypes.statuses([claim.id])]).toEqual([{ ...before[0], in_s: 0 }, before[1]]);
  });

  it('waits for nobody: what is locked is left to those who write under the lock', async () => {
    const runner = store.dataSource.createQueryRunner();
    await runner.startTransaction();
    await runner.query('select from reconcile_schedule where id = $1 for update', [claim.id]);
    expect(await settle()).toEqual([]);
    await runner.rollbackTransaction();
    await runner.release();
    expect(await settle()).toEqual([claim.id]);
  });
});

it('a server that answers makes a type with OAuth ready only when its client is known, and any other at once', async () => {
  const readyOf = async (authMethod: 'OAUTH' | 'ACCESS_TOKEN') => {
    const type = await store.connectionTypes.insert(teamId, authMethod.toLowerCase().replace('_', '-'), connectionTypeSpec.parse({ displayName: 'A', serverUrl: 'https://one.example/mcp', authMethod }));
    const { report, shared } = seen({ verdict: 'AUTHENTICATION_REQUIRED', tools: null, toolCount: null });
    await store.transaction((repositories) => new StatusWriter(() => new Date()).writeType(repositories, type, report, shared));
    return (await at(type.id)).status.conditions.find((one) => one.type === 'Ready');
  };
  expect(await readyOf('OAUTH')).toMatchObject({ status: 'UNKNOWN', reason: 'NotDiscovered' });
  expect(await readyOf('ACCESS_TOKEN')).toMatchObject({ status: 'TRUE', reason: 'Ready' });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import { connectionTypeSpec } from '#core/connection/spec.js';
import { InvariantBroken } from '#core/errors.js';
import { createLogger } from '#core/log.js';
import { NO_TRACES } from '#core/traces/traces.js';
import { OperatorMetrics } from '#operator/runtime/metrics.js';
import type { ReconcileResult } from '#operator/runtime/reconciler.js';
import { Worker, type WorkerOptions } from '#operator/runtime/worker.js';
import { MIGRATED } from '#test/support/api.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { until } from '#test/support/mcp-servers/until.js';
import { openStore } from '#test/support/open-store.js';

/** The worker on a real schedule, with a reconciler of the test's own. */

let database: TestDatabase;
let store: Awaited<ReturnType<typeof openStore>>;
let teamId: string;
let workers: Worker[];
let count = 0;

beforeEach(async () => {
  database = await createDatabase(MIGRATED);
  store = await openStore(database.url);
  teamId = (await store.teams.insert('crew', 'Crew')).id;
  workers = [];
});
afterEach(async () => {
  await Promise.all(workers.map((one) => one.stop(0)));
  await store.close();
  await database.drop();
});

async function object(host = 'one.example'): Promise<string> {
  const spec = connectionTypeSpec.parse({ displayName: 'A', serverUrl: `https://${host}/mcp`, authMethod: 'NONE' });
  return (await store.connectionTypes.insert(teamId, `type-${++count}`, spec)).id;
}

async function start(reconcile: (id: string, signal: AbortSignal) => Promise<ReconcileResult>, options: Partial<WorkerOptions> = {}): Promise<Worker> {
  const id = randomUUID();
  await store.processes.beat(id, 'test', 1);
  const worker = new Worker({
    id, schedule: store.schedule, reconcilers: [{ kind: 'ConnectionType', reconcile: (claim, signal) => reconcile(claim.id, signal) }], metrics: new OperatorMetrics(new Registry()), traces: NO_TRACES,
    logger: createLogger('silent'), clock: () => performance.now(), random: () => 1, pollMs: 20, ...options,
  });
  workers.push(worker);
  worker.start();
  return worker;
}

const WAIT: ReconcileResult = { requeueAfterMs: 3_600_000 };
const row = async (id: string) => ((await store.dataSource.query('select worker, failures, extract(epoch from due - clock_timestamp())::float8 as wait from reconcile_schedule where id = $1', [id])) as { worker: string | null; failures: number; wait: number }[])[0]!;
const ended = (id: string, failures: number) => until(async () => {
  const found = await row(id);
  return found.worker === null && found.failures === failures && (failures > 0 || found.wait > 0);
});

describe('a worker', () => {
  it('runs what is due, with another worker beside it once each', async () => {
    const runs: string[] = [];
    const objects = await Promise.all(Array.from({ length: 20 }, (_, index) => object(`h${index}.example`)));
    const reconcile = async (id: string): Promise<ReconcileResult> => {
      runs.push(id);
      return WAIT;
    };
    await Promise.all([start(reconcile), start(reconcile)]);
    for (const id of objects) await ended(id, 0);
    expect(runs.toSorted()).toEqual(objects.toSorted());
  });

  it('lets a slow host hold up nobody else', async () => {
    const slow = await Promise.all(Array.from({ length: 12 }, () => object('slow.example')));
    await store.dataSource.query(`update reconcile_schedule set due = due - interval '1 hour'`);
    const release = Promise.withResolvers<void>();
    const running = new Set<string>();
    const worker = await start(async (id) => {
      running.add(id);
      if (slow.includes(id)) await release.promise;
      return WAIT;
    }, { slots: 8, perLane: 3 });
    await until(() => running.size === 3);
    const fast = await Promise.all([1, 2, 3, 4, 5, 6].map(() => object('fast.example')));
    worker.wake();
    for (const id of fast) await ended(id, 0);
    expect([...running].filter((id) => slow.includes(id))).toHaveLength(3);
    release.resolve();
    for (const id of slow) await ended(id, 0);
  });

  it('backs off from errors, longer each time, forgets them with one success, and stalls what is broken for good', async () => {
    const id = await object();
    let fault: Error | null = new Error('no');
    /** How each run ended. */
    const ends: { afterMs: number; failures: number }[] = [];
    const { schedule } = store;
    const finish: typeof schedule.finish = (claim, afterMs, failures) => {
      ends.push({ afterMs, failures });
      return schedule.finish(claim, afterMs, failures);
    };
    await start(async () => {
      if (fault !== null) throw fault;
      return WAIT;
    }, { schedule: { claim: (request) => schedule.claim(request), forget: (claim) => schedule.forget(claim), finish } });
    /** Its time comes, again and again, be it by us or by itself. */
    const runsUntil = (enough: () => boolean) => until(async () => {
      if (!enough()) await store.dataSource.query('update reconcile_schedule set due = clock_timestamp() where id = $1', [id]);
      return enough();
    });
    await runsUntil(() => ends.length >= 3);
    expect(ends.slice(0, 3)).toEqual([{ afterMs: 1000, failures: 1 }, { afterMs: 2000, failures: 2 }, { afterMs: 4000, failures: 3 }]);
    fault = null;
    await runsUntil(() => ends.at(-1)!.failures === 0);
    await ended(id, 0);
    const successes = ends.length;
    fault = new InvariantBroken('never');
    await runsUntil(() => ends.length > successes);
    await until(async () => (await row(id)).wait > 3600 * 23);
    expect(ends[successes]).toEqual({ afterMs: 24 * 3_600_000, failures: 1 });
  });

  it('stores the end of a run however long the database is away, and doesn\'t run the object again for that', async () => {
    const id = await object();
    const release = Promise.withResolvers<ReconcileResult>();
    let runs = 0;
    let attempts = 0;
    const { schedule } = store;
    const finish: typeof schedule.finish = (...run) => {
      attempts += 1;
      return schedule.finish(...run);
    };
    await start(() => {
      runs += 1;
      return release.promise;
    }, { retryMs: 1, schedule: { claim: (request) => schedule.claim(request), forget: (claim) => schedule.forget(claim), finish } });
    await until(() => runs === 1);
    await store.dataSource.query('alter table reconcile_schedule rename to away');
    release.resolve(WAIT);
    await until(() => attempts > 20);
    await store.dataSource.query('alter table away rename to reconcile_schedule');
    await ended(id, 0);
    expect(runs).toBe(1);
    expect((await row(id)).wait).toBeGreaterThan(3000);
  });

  it('ends a run at its deadline, as a failure, and tells the run', async () => {
    const id = await object();
    let aborted = false;
    await start((_id, signal) => new Promise(() => signal.addEventListener('abort', () => { aborted = true; })), { deadlineMs: 30 });
    await until(() => aborted);
    await until(async () => (await row(id)).failures > 0);
  });

  it('that stops while it claims begins nothing, and hands back at once what it got', async () => {
    const id = await object();
    const { promise: claimed, resolve: hasClaimed } = Promise.withResolvers<void>();
    const { promise: stopping, resolve: stops } = Promise.withResolvers<void>();
    const runs: string[] = [];
    const schedule: WorkerOptions['schedule'] = {
      claim: async (request) => {
        const claims = await store.schedule.claim(request);
        hasClaimed();
        await stopping;
        return claims;
      },
      finish: (claim, afterMs, failures) => store.schedule.finish(claim, afterMs, failures), forget: (claim) => store.schedule.forget(claim),
    };
    const worker = await start(async (one) => { runs.push(one); return WAIT; }, { schedule });
    await claimed;
    const stopped = worker.stop(2000);
    stops();
    await stopped;
    expect(runs).toEqual([]);
    const { wait, ...handedBack } = await row(id);
    expect(handedBack).toEqual({ worker: null, failures: 0 });
    expect(wait).toBeLessThanOrEqual(0);
  });

  it('that stops lets a run finish, and hands back one that doesn\'t, without calling that a failure', async () => {
    const [quick, stuck] = [await object('a.example'), await object('b.example')];
    const release = Promise.withResolvers<ReconcileResult>();
    const seen = new Set<string>();
    const worker = await start((id) => {
      seen.add(id);
      return id === quick ? release.promise : new Promise<never>(() => undefined);
    });
    await until(() => seen.size === 2);
    const stopping = worker.stop(2000);
    release.resolve(WAIT);
    await stopping;
    expect(await row(quick)).toMatchObject({ worker: null, failures: 0, wait: expect.any(Number) });
    expect((await row(quick)).wait).toBeGreaterThan(3000);
    const handedBack = await row(stuck);
    expect(handedBack).toMatchObject({ worker: null, failures: 0 });
    expect(handedBack.wait).toBeLessThanOrEqual(0);
  });
});

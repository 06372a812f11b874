import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { connectionTypeSpec } from '#core/connection/spec.js';
import { SCHEDULED_KINDS, type Claim } from '#core/store/schedule.js';
import { MIGRATED } from '#test/support/api.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { until } from '#test/support/mcp-servers/until.js';
import { openStore } from '#test/support/open-store.js';

/** The schedule on a real PostgreSQL (design section 8). Times are the database's, so tests move its rows instead of waiting. */

let database: TestDatabase;
let store: Awaited<ReturnType<typeof openStore>>;
let teamId: string;

beforeAll(async () => {
  database = await createDatabase(MIGRATED);
  store = await openStore(database.url);
  teamId = (await store.teams.insert('schedule', 'Schedule')).id;
});
afterAll(async () => {
  await store?.close();
  await database?.drop();
});

const query = (sql: string, values: unknown[] = []) => store.dataSource.query(sql, values);
let names = 0;

async function object(host = 'one.example'): Promise<string> {
  const spec = connectionTypeSpec.parse({ displayName: 'A', serverUrl: `https://${host}/mcp`, authMethod: 'NONE' });
  const { id } = await store.connectionTypes.insert(teamId, `type-${++names}`, spec);
  return id;
}

async function worker(): Promise<string> {
  const id = randomUUID();
  await store.processes.beat(id, 'test', 1);
  return id;
}

const claim = (id: string, limit = 10, perLane = 100, running = new Map<string, number>()) => store.schedule.claim({ worker: id, limit, kinds: SCHEDULED_KINDS, perLane, running });
const clear = async () => {
  await query('delete from connection_types');
  await query('delete from reconcile_schedule');
  await query('delete from processes');
};
const row = async (id: string) => (await query(`select *, due <= clock_timestamp() as is_due, extract(epoch from due - clock_timestamp()) as in_s from reconcile_schedule where id = $1`, [id]) as Record<string, unknown>[])[0];

describe('the schedule', () => {
  beforeEach(clear);

  it('has what is created, urgently, and no object of a change that is rolled back', async () => {
    const id = await object();
    expect(await row(id)).toMatchObject({ is_due: true, urgent: true, lane: 'one.example', worker: null });
    await expect(store.transaction(async (repositories) => {
      await repositories.schedule.mark('ConnectionType', [id]);
      throw new Error('no');
    })).rejects.toThrow('no');
    expect(await row(id)).toMatchObject({ dirty: '1' });
  });

  it('gives what was marked during a run another run at once, and waits otherwise', async () => {
    const [id, me] = [await object(), await worker()];
    const [first] = await claim(me);
    await store.schedule.mark('ConnectionType', [id]);
    expect(await claim(me)).toEqual([]);
    expect(await store.schedule.finish(first!, 60_000, 0)).toBe(true);
    const [second] = await claim(me);
    expect(second).toMatchObject({ id });
    await store.schedule.finish(second!, 60_000, 0);
    expect(await claim(me)).toEqual([]);
    expect(Number((await row(id))!['in_s'])).toBeGreaterThan(50);
  });

  it('ends many runs together as it ends each: one that was marked is due at once, one that is over is refused, and a row that somebody holds is waited for', async () => {
    await using other = await openStore(database.url);
    const me = await worker();
    const ids = await Promise.all([1, 2, 3, 4].map(() => object()));
    const claims = await claim(me);
    const of = (id: string) => claims.find((one) => one.id === id)!;
    const [plain, marked, over, held] = ids.map(of);
    await store.schedule.mark('ConnectionType', [marked!.id]);
    const { promise: letGo, resolve: release } = Promise.withResolvers<void>();
    const { promise: locked, resolve: hold } = Promise.withResolvers<void>();
    const holder = other.transaction(async ({ manager }) => {
      await manager.query('select from reconcile_schedule where id = $1 for update', [held!.id]);
      hold();
      await letGo;
    });
    await locked;
    const ended = store.schedule.finishAll([plain, marked, { ...over!, epoch: String(Number(over!.epoch) - 1) }, held].map((one) => ({ claim: one!, afterMs: 60_000, failures: 2 })));
    await until(async () => (await row(plain!.id))!['worker'] === null);
    release();
    expect(await ended).toEqual([true, true, false, true]);
    await holder;
    const rows = await Promise.all([plain, marked, over, held].map((one) => row(one!.id)));
    expect(rows.map((one) => [one!['worker'] === null, one!['failures'], Number(one!['in_s']) > 50])).toEqual([[true, 2, true], [true, 2, false], [false, 0, false], [true, 2, true]]);
  });

  it('takes from a worker that is dead, or has lost it, and refuses what that one still wants to write', async () => {
    const id = await object();
    const [dead, living] = [await worker(), await worker()];
    const [lost] = await claim(dead);
    expect(await claim(living)).toEqual([]);
    await query(`update processes set heartbeat_at = now() - interval '16 seconds' where id = $1`, [dead]);
    const [taken] = await claim(living);
    expect(taken).toMatchObject({ id });
    expect([await store.schedule.holds(lost!), await store.schedule.holds(taken!)]).toEqual([false, true]);
    expect(await store.schedule.finish(lost!, 0, 0)).toBe(false);
    await query(`update reconcile_schedule set claimed_at = now() - interval '121 seconds' where id = $1`, [id]);
    expect(await claim(await worker())).toMatchObject([{ id }]);
    expect(await store.schedule.finish(taken!, 0, 0)).toBe(false);
  });

  it('gives nothing to a worker that is believed to be dead: what it took would be free again at once, for others and for itself', async () => {
    const [id, me] = [await object(), await worker()];
    await query(`update processes set heartbeat_at = now() - interval '16 seconds' where id = $1`, [me]);
    expect([await claim(me), await claim(randomUUID())]).toEqual([[], []]);
    await store.processes.beat(me, 'test', 1);
    expect(await claim(me)).toMatchObject([{ id, epoch: '1' }]);
  });

  it('puts what a person waits for before the routine, and gives one host no more than its share', async () => {
    const me = await worker();
    const slow = await Promise.all([1, 2, 3, 4].map(() => object('slow.example')));
    const other = await object('fast.example');
    await query(`update reconcile_schedule set urgent = false, due = now() - interval '1 hour' where id = any($1)`, [slow]);
    expect((await claim(me, 1)).map(({ id }) => id)).toEqual([other]);
    expect(await claim(me, 10, 2, new Map([['fast.example', 1]]))).toHaveLength(2);
    expect(await claim(me, 10, 2, new Map([['slow.example', 2]]))).toEqual([]);
    expect(await claim(me, 10, 3, new Map([['slow.example', 2]]))).toHaveLength(1);
  });

  it('forgets what is gone, and finds what nobody put there', async () => {
    const [id, me] = [await object(), await worker()];
    const [run] = await claim(me);
    await store.schedule.forget(run!);
    expect(await row(id)).toBeUndefined();
    expect([await store.schedule.adopt(), await store.schedule.adopt()]).toEqual([1, 0]);
    expect(await row(id)).toMatchObject({ is_due: true });
  });

  it('under any order of marks, claims, ends, deaths and time: never two workers on one object, nothing due is forgotten, a change during a run leads to another run', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('mark' as const), object: fc.nat(2) }),
      fc.record({ do: fc.constant('claim' as const), worker: fc.nat(2), limit: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ do: fc.constant('finish' as const), run: fc.nat(5) }),
      fc.record({ do: fc.constant('die' as const), worker: fc.nat(2) }),
      fc.record({ do: fc.constant('time' as const) }),
    );
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      await clear();
      const objects = [await object(), await object(), await object()];
      const workers = [await worker(), await worker(), await worker()];
      /** By object: who has it in the model, and whether the change that it was marked for has not been seen by a run that began after it. */
      const held = new Map<string, { claim: Claim; by: string }>();
      const unseen = new Set(objects);
      const all: { claim: Claim; by: string }[] = [];
      const dead = new Set<string>();
      const take = (by: string, claims: Claim[]) => {
        for (const one of claims) {
          const holder = held.get(one.id);
          if (holder !== undefined && !dead.has(holder.by)) throw new Error('two living workers on one object');
          held.set(one.id, { claim: one, by });
          unseen.delete(one.id);
          all.push({ claim: one, by });
        }
      };
      for (const next of steps) {
        if (next.do === 'mark') {
          await store.schedule.mark('ConnectionType', [objects[next.object]!]);
          unseen.add(objects[next.object]!);
        } else if (next.do === 'claim') {
          if (!dead.has(workers[next.worker]!)) {
            // Two at the same moment: one row goes to one of them.
            const other = workers.find((one) => one !== workers[next.worker] && !dead.has(one));
            const [mine, theirs] = await Promise.all([claim(workers[next.worker]!, next.limit), other === undefined ? [] : claim(other, next.limit)]);
            take(workers[next.worker]!, mine);
            take(other ?? '', theirs);
          }
        } else if (next.do === 'finish') {
          const run = all[next.run];
          if (run !== undefined) {
            const counts = held.get(run.claim.id)?.claim.epoch === run.claim.epoch;
            expect(await store.schedule.finish(run.claim, 3_600_000, 0)).toBe(counts);
            if (counts) held.delete(run.claim.id);
          }
        } else if (next.do === 'die') {
          dead.add(workers[next.worker]!);
          await query(`update processes set heartbeat_at = now() - interval '16 seconds' where id = $1`, [workers[next.worker]]);
        } else await query(`update reconcile_schedule set due = due - interval '1 hour'`);
      }
      // Whoever lives ends what it has; then one more worker must find every change that no run has seen.
      for (const [id, { claim: run, by }] of held) {
        if (dead.has(by)) unseen.add(id);
        else await store.schedule.finish(run, 3_600_000, 0);
      }
      const found = (await claim(await worker())).map(({ id }) => id);
      expect(found).toEqual(expect.arrayContaining([...unseen]));
      expect(new Set(found).size).toBe(found.length);
    }), { numRuns: 40 });
  });
});

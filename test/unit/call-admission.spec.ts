import { Admission, Slot, aside } from '#api/call/admission.js';
import { FairQueue } from '#api/call/fair-queue.js';
import type { Principal } from '#api/identity/principal.js';

describe('the queue', () => {
  const filled = (...items: [team: string, caller: string, item: string][]): FairQueue<string> => {
    const queue = new FairQueue<string>();
    for (const one of items) queue.push(...one);
    return queue;
  };
  const drained = (queue: FairQueue<string>, which: 'NEWEST' | 'OLDEST'): string[] => Array.from({ length: queue.size }, () => queue.next(which)!);

  test('teams take turns, and so do the callers of each, however many one of them brings', () => {
    const queue = filled(['a', 'ada', 'a1'], ['a', 'ada', 'a2'], ['a', 'ada', 'a3'], ['a', 'bob', 'b1'], ['c', 'cyd', 'c1'], ['c', 'cyd', 'c2']);
    expect(drained(queue, 'OLDEST')).toEqual(['a1', 'c1', 'b1', 'c2', 'a2', 'a3']);
    expect([queue.size, queue.next('OLDEST'), queue.crowdedOut()]).toEqual([0, null, null]);
  });

  test('the newest first turns the order of each caller around, not the turns', () => {
    expect(drained(filled(['a', 'ada', 'a1'], ['a', 'ada', 'a2'], ['c', 'cyd', 'c1']), 'NEWEST')).toEqual(['a2', 'c1', 'a1']);
  });

  test('who brings the most is crowded out, their oldest first', () => {
    const queue = filled(['a', 'ada', 'a1'], ['a', 'bob', 'b1'], ['a', 'bob', 'b2'], ['c', 'cyd', 'c1'], ['c', 'cyd', 'c2'], ['c', 'cyd', 'c3']);
    queue.push('a', 'bob', 'b3');
    expect([queue.crowdedOut(), queue.crowdedOut(), queue.crowdedOut()]).toEqual(['b1', 'b2', 'c1']);
    expect(drained(queue, 'OLDEST')).toEqual(['a1', 'c2', 'b3', 'c3']);
  });
});

describe('admission', () => {
  let now = 0;
  let floods = 0;
  const made = (atOnce: number, burst: number, holdMs = 60_000) => new Admission({ atOnce, burst, holdMs, random: Math.random, clock: () => now, onFlood: () => { floods += 1; } });
  const somebody = (name: string, teamId = 'team'): Principal => ({
    subject: name, local: true, displayName: name, installationAdmin: false, tokenId: name, teamId, memberships: [{ teamId, teamSlug: teamId, memberId: name, role: 'MEMBER' }],
  });
  const ada = somebody('ada');
  const here = new AbortController().signal;
  interface Asking { slot: Slot | null | undefined; settled: Promise<Slot | null> }
  /** Its slot, once it has one; null once it is refused. */
  const asked = (admission: Admission, who = ada, signal = here): Asking => {
    const settled = Promise.resolve(admission.enter(who, signal));
    const asking: Asking = { slot: undefined, settled };
    void settled.then((slot) => { asking.slot = slot; });
    return asking;
  };
  const many = (admission: Admission, count: number, who = ada): Asking[] => Array.from({ length: count }, () => asked(admission, who));
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  /** Ends what works, one after the other, until nobody is left who may. */
  const workOff = async (admission: Admission, all: readonly Asking[]): Promise<void> => {
    const done = new Set<Asking>();
    await settled();
    for (let some = true; some; await settled()) {
      some = false;
      for (const one of all) {
        if (!(one.slot instanceof Slot) || done.has(one)) continue;
        [some] = [true, done.add(one)];
        one.slot.answered();
      }
    }
  };
  beforeEach(() => { [now, floods] = [0, 0]; });

  test('so many work at once, others wait their turn, the oldest first', async () => {
    const admission = made(2, 3);
    const all = many(admission, 5);
    await settled();
    expect(all.map(({ slot }) => slot instanceof Slot)).toEqual([true, true, false, false, false]);
    expect(admission.load).toEqual({ busy: 2, waiting: 3, held: 0 });
    all[0]!.slot!.answered();
    await settled();
    expect(all.map(({ slot }) => slot instanceof Slot)).toEqual([true, true, true, false, false]);
  });

  test('a burst is worked off, and nobody is refused', async () => {
    const admission = made(2, 10);
    const all = many(admission, 18);
    expect(admission.load).toEqual({ busy: 2, waiting: 6, held: 10 });
    await workOff(admission, all);
    expect(all.every(({ slot }) => slot instanceof Slot)).toBe(true);
    expect([admission.load, floods]).toEqual([{ busy: 0, waiting: 0, held: 0 }, 0]);
  });

  test('of a flood the newest go first, those that are held aren\'t worked on any more and are refused in time, and a second without more ends it', async () => {
    const admission = made(2, 10, 1);
    const flood = many(admission, 40);
    const newest = asked(admission);
    expect(floods).toBe(1);
    flood[0]!.slot = await flood[0]!.settled;
    flood[0]!.slot!.answered();
    expect(await newest.settled).toBeInstanceOf(Slot);
    await workOff(admission, [...flood, newest]);
    const refused = await Promise.all(flood.map((one) => one.settled)).then((slots) => slots.filter((slot) => slot === null).length);
    expect(refused).toBeGreaterThan(10);
    expect(admission.load).toEqual({ busy: 0, waiting: 0, held: 0 });
    now += 1000;
    const calm = many(admission, 8);
    expect([admission.load, floods]).toEqual([{ busy: 2, waiting: 6, held: 0 }, 1]);
    await workOff(admission, calm);
  });

  test('who is held for long enough is refused though there is no flood', async () => {
    const admission = made(1, 10, 1);
    const all = many(admission, 5);
    expect(await Promise.race(all.slice(1).map((one) => one.settled))).toBeNull();
    expect(floods).toBe(0);
    await workOff(admission, all);
  });

  test('what is held is bounded', async () => {
    const admission = made(1, 2);
    const all = many(admission, 100);
    await settled();
    expect(admission.load.held).toBe(16);
    expect(all.filter(({ slot }) => slot === null).length).toBeGreaterThan(70);
  });

  test('a flood of one caller, or of one team, leaves others their turn', async () => {
    const admission = made(3, 4);
    const working = many(admission, 3);
    const flood = many(admission, 50);
    const other = asked(admission, somebody('bob'));
    const stranger = asked(admission, somebody('cyd', 'another'));
    flood.push(...many(admission, 50));
    await settled();
    expect([other.slot, stranger.slot, admission.load.waiting]).toEqual([undefined, undefined, 3]);
    for (const { slot } of working) slot!.answered();
    await settled();
    expect([other.slot, stranger.slot]).toEqual([expect.any(Slot), expect.any(Slot)]);
  });

  test('who waits for their server makes room, and comes back however many work', async () => {
    const admission = made(1, 4);
    const slow = admission.enter(ada, here) as Slot;
    const next = asked(admission);
    const answer = Promise.withResolvers<string>();
    slow.begin();
    const call = slow.during(Promise.resolve(), answer.promise);
    await settled();
    expect(next.slot).toBeInstanceOf(Slot);
    answer.resolve('done');
    expect(await call).toBe('done');
    expect(admission.load.busy).toBe(2);
    // Its request was answered, and the call goes on.
    slow.answered();
    expect(admission.load.busy).toBe(2);
    slow.release();
    slow.release();
    next.slot!.answered();
    expect(admission.load).toEqual({ busy: 0, waiting: 0, held: 0 });
  });

  test('an answer that comes before the rest is done keeps the slot, and a failure gives it back', async () => {
    const admission = made(1, 4);
    const slot = admission.enter(ada, here) as Slot;
    const done = Promise.withResolvers<void>();
    expect(await slot.during(done.promise, Promise.resolve(1))).toBe(1);
    done.resolve();
    await settled();
    expect(admission.load.busy).toBe(1);
    await expect(aside(slot, Promise.reject(new Error('gone')))).rejects.toThrow('gone');
    expect(admission.load.busy).toBe(1);
    slot.answered();
    expect(admission.load.busy).toBe(0);
  });

  test('whoever has gone while waiting takes no slot', async () => {
    const admission = made(1, 4);
    const working = admission.enter(ada, here) as Slot;
    const gone = new AbortController();
    const left = asked(admission, ada, gone.signal);
    const stays = asked(admission);
    gone.abort();
    working.answered();
    await settled();
    expect([left.slot, stays.slot instanceof Slot]).toEqual([null, true]);
  });
});

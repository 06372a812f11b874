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
  let pressed = 0;
  const made = (atOnce: number, waiting: number) => new Admission({ atOnce, waiting, clock: () => now, onPressed: () => { pressed += 1; } });
  const somebody = (name: string, teamId = 'team'): Principal => ({
    subject: name, local: true, displayName: name, installationAdmin: false, tokenId: name, teamId, memberships: [{ teamId, teamSlug: teamId, memberId: name, role: 'MEMBER' }],
  });
  const ada = somebody('ada');
  const here = new AbortController().signal;
  /** Its slot, once it has one; null once it is refused. */
  const asked = (admission: Admission, who = ada, signal = here) => {
    const asking: { slot: Slot | null | undefined } = { slot: undefined };
    const entered = admission.enter(who, signal);
    if (entered instanceof Slot) asking.slot = entered;
    else void entered.then((slot) => { asking.slot = slot; });
    return asking;
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  beforeEach(() => { [now, pressed] = [0, 0]; });

  test('so many work at once, a burst waits its turn, and nobody is refused', async () => {
    const admission = made(2, 3);
    const all = Array.from({ length: 5 }, () => asked(admission));
    await settled();
    expect(all.map(({ slot }) => slot === undefined)).toEqual([false, false, true, true, true]);
    for (const one of all) {
      await settled();
      one.slot!.answered();
    }
    expect(all.every(({ slot }) => slot instanceof Slot)).toBe(true);
    expect(admission.load).toEqual({ busy: 0, waiting: 0, refused: 0 });
  });

  test('when more come in than can wait, a few of the newest wait, the oldest are refused, and a second without that ends it', async () => {
    const admission = made(2, 4);
    const [first, second] = [asked(admission), asked(admission)];
    const waiting = Array.from({ length: 4 }, () => asked(admission));
    const more = [asked(admission), asked(admission)];
    await settled();
    expect(waiting.map(({ slot }) => slot)).toEqual([null, null, null, null]);
    expect([admission.load, pressed]).toEqual([{ busy: 2, waiting: 2, refused: 4 }, 1]);
    // The newest first.
    first.slot!.answered();
    await settled();
    expect(more.map(({ slot }) => slot instanceof Slot)).toEqual([false, true]);
    second.slot!.answered();
    await settled();
    now += 1000;
    for (let index = 0; index < 4; index += 1) asked(admission);
    await settled();
    expect([admission.load, pressed]).toEqual([{ busy: 2, waiting: 4, refused: 4 }, 1]);
  });

  test('a flood of one caller, or of one team, leaves others their turn', async () => {
    const admission = made(3, 4);
    const working = [asked(admission), asked(admission), asked(admission)];
    const flood = Array.from({ length: 50 }, () => asked(admission));
    const other = asked(admission, somebody('bob'));
    const stranger = asked(admission, somebody('cyd', 'another'));
    flood.push(...Array.from({ length: 50 }, () => asked(admission)));
    await settled();
    expect([other.slot, stranger.slot, flood.filter(({ slot }) => slot === undefined).length]).toEqual([undefined, undefined, 1]);
    for (const { slot } of working) slot!.answered();
    await settled();
    expect([other.slot, stranger.slot]).toEqual([expect.any(Slot), expect.any(Slot)]);
  });

  test('who waits for their server makes room, and comes back however many work', async () => {
    const admission = made(1, 4);
    const slow = asked(admission).slot!;
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
    expect(admission.load).toEqual({ busy: 0, waiting: 0, refused: 0 });
  });

  test('an answer that comes before the rest is done keeps the slot, and a failure gives it back', async () => {
    const admission = made(1, 4);
    const slot = asked(admission).slot!;
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
    const working = asked(admission);
    const gone = new AbortController();
    const left = asked(admission, ada, gone.signal);
    const stays = asked(admission);
    gone.abort();
    working.slot!.answered();
    await settled();
    expect([left.slot, stays.slot instanceof Slot]).toEqual([null, true]);
  });
});

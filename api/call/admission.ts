import { callingAs, type Principal } from '../identity/principal.js';
import { FairQueue } from './fair-queue.js';

/** What {@link Admission} is built of. */
export interface AdmissionOptions {
  /** Calls that this process works on at the same time; those that wait for their server don't count. */
  atOnce: number;
  /** Calls that may be too many for a moment: more of them are no burst, but a flood. */
  burst: number;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** From 0 to 1. */
  random: () => number;
  /** How long a call that is too many is held before it is refused, in milliseconds and on average; 250 unless it is said. */
  holdMs?: number;
  /** Called when a flood begins. */
  onFlood?: () => void;
}

interface Waiting {
  signal: AbortSignal;
  settle: (slot: Slot | null) => void;
  timer?: NodeJS.Timeout;
}

const HOLD_MS = 250;
/** It counts as a flood until nothing was too much for so long. */
const FLOOD_MS = 1_000;
/** So many times as many as work at once may wait their turn. */
const WAITING = 3;
/** So many bursts are held; of what is more, the oldest are refused at once. */
const HELD_BURSTS = 8;

/**
 * How many calls this process works on at the same time, and who is next. Those beyond {@link AdmissionOptions.atOnce} wait, fairly between teams and callers; when too many wait, the oldest of whoever brings
 * the most are held.
 *
 *     arrives ──▶ works ◀── waits ──too many──▶ held ──a quarter of a second──▶ refused
 *                   ▲                            │
 *                   └──nobody waits, no flood────┘
 *
 * So a burst is worked off, and nobody is refused. In a flood, waiting makes everybody late and helps nobody: the newest go first, since their callers are still there, and those that are held aren't worked on any more.
 * That they are held, and not refused at once, is what keeps callers from coming back as fast as they can be refused.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #queue = new FairQueue<Waiting>();
  /** In the order in which they became too many. */
  readonly #held = new Set<Waiting>();
  #busy = 0;
  #floodUntil = -Infinity;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Calls that are worked on, that wait for it, and that are held. */
  get load(): { busy: number; waiting: number; held: number } {
    return { busy: this.#busy, waiting: this.#queue.size, held: this.#held.size };
  }

  /** A slot, now or when there is one; null for a call that is refused, or whose caller has gone. */
  enter(principal: Principal, signal: AbortSignal): Slot | Promise<Slot | null> {
    const { atOnce } = this.#options;
    if (this.#busy < atOnce) return this.#occupy();
    return new Promise((settle) => {
      this.#queue.push(teamOf(principal), principal.tokenId ?? `${principal.local} ${principal.subject}`, { signal, settle });
      while (this.#queue.size > (this.#flooded ? atOnce : atOnce * WAITING)) this.#hold(this.#queue.crowdedOut()!);
    });
  }

  get #flooded(): boolean {
    return this.#options.clock() < this.#floodUntil;
  }

  #hold(waiting: Waiting): void {
    const { burst, clock, random, holdMs = HOLD_MS, onFlood } = this.#options;
    // Not all for as long: who came together would come back together, and be too many again.
    waiting.timer = setTimeout(() => this.#refuse(waiting), holdMs * (0.4 + 1.2 * random())).unref();
    this.#held.add(waiting);
    if (this.#held.size <= burst) return;
    if (!this.#flooded) onFlood?.();
    this.#floodUntil = clock() + FLOOD_MS;
    if (this.#held.size > burst * HELD_BURSTS) this.#refuse(this.#held.values().next().value!);
  }

  #refuse(waiting: Waiting): void {
    this.#release(waiting).settle(null);
  }

  #release(waiting: Waiting): Waiting {
    clearTimeout(waiting.timer);
    this.#held.delete(waiting);
    return waiting;
  }

  #occupy(): Slot {
    this.#busy += 1;
    return new Slot({
      freed: () => {
        this.#busy -= 1;
        this.#letIn();
      },
      taken: () => { this.#busy += 1; },
    });
  }

  #letIn(): void {
    while (this.#busy < this.#options.atOnce) {
      const next = this.#queue.next(this.#held.size > 0 ? 'NEWEST' : 'OLDEST') ?? this.#heldNext();
      if (next === null) return;
      next.settle(next.signal.aborted ? null : this.#occupy());
    }
  }

  #heldNext(): Waiting | null {
    const next = this.#flooded ? undefined : this.#held.values().next().value;
    return next === undefined ? null : this.#release(next);
  }
}

/** Where somebody calls in several teams, they are a team of their own. */
function teamOf(principal: Principal): string {
  const teams = callingAs(principal);
  return teams.length === 1 ? teams[0]!.teamId : `${principal.local} ${principal.subject}`;
}

/** One call's part in what this process works on. It is given up while the call waits for its server, and for good at its end. */
export class Slot {
  #state: 'WORKING' | 'AWAY' | 'DONE' = 'WORKING';
  #begun = false;

  constructor(private readonly on: { freed: () => void; taken: () => void }) {}

  /** A call has begun, and will release it: it may outlive the request. */
  begin(): void {
    this.#begun = true;
  }

  /** The request was answered: if no call has begun, that was all. */
  answered(): void {
    if (!this.#begun) this.release();
  }

  /** Gives the slot up from when what is ours to do is done until the answer is there, which may be sooner. */
  async during<T>(done: Promise<unknown>, answer: Promise<T>): Promise<T> {
    let over = false;
    done.then(() => { if (!over) this.away(); }, () => undefined);
    try {
      return await answer;
    } finally {
      over = true;
      this.back();
    }
  }

  /** The call waits for its server: others may work. */
  away(): void {
    if (this.#state !== 'WORKING') return;
    this.#state = 'AWAY';
    this.on.freed();
  }

  /** The server has answered: what is left to do is done, whoever else works. */
  back(): void {
    if (this.#state !== 'AWAY') return;
    this.#state = 'WORKING';
    this.on.taken();
  }

  /** It is over. */
  release(): void {
    const before = this.#state;
    this.#state = 'DONE';
    if (before === 'WORKING') this.on.freed();
  }
}

/** Waits for what may take long and isn't work of this process. */
export function aside<T>(slot: Slot | undefined, wait: Promise<T>): Promise<T> {
  return slot === undefined ? wait : slot.during(Promise.resolve(), wait);
}

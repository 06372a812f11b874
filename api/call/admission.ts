import { callingAs, type Principal } from '../identity/principal.js';
import { FairQueue } from './fair-queue.js';

/** What {@link Admission} is built of. */
export interface AdmissionOptions {
  /** Calls that this process works on at the same time; those that wait for their server don't count. */
  atOnce: number;
  /** Calls that may wait for that, in a burst. */
  waiting: number;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Called when calls begin to be refused, after a while without. */
  onPressed?: () => void;
}

interface Waiting {
  signal: AbortSignal;
  settle: (slot: Slot | null) => void;
}

/** It counts as pressed until nobody had to be refused for so long. */
const PRESSED_MS = 1_000;

/**
 * How many calls this process works on at the same time, and who is next. Beyond {@link AdmissionOptions.atOnce} they wait, fairly between teams and callers.
 *
 *     calm ──more than `waiting` wait──▶ pressed ──nobody refused for a second──▶ calm
 *
 * A burst waits its turn, the oldest first, and nobody is refused. When more comes in than can be done, waiting makes everybody late and helps nobody: then only a few wait, the newest go
 * first, since their callers are still there, and the oldest of whoever brings the most are refused, at once and for next to nothing.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #queue = new FairQueue<Waiting>();
  #busy = 0;
  #pressedUntil = -Infinity;
  #refused = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Calls that are worked on, and those that wait for it. */
  get load(): { busy: number; waiting: number; refused: number } {
    return { busy: this.#busy, waiting: this.#queue.size, refused: this.#refused };
  }

  /** A slot, now or when there is one; null for a call that is refused, or whose caller has gone. */
  enter(principal: Principal, signal: AbortSignal): Slot | Promise<Slot | null> {
    if (this.#busy < this.#options.atOnce) return this.#occupy();
    return new Promise((settle) => {
      this.#queue.push(teamOf(principal), principal.tokenId ?? `${principal.local} ${principal.subject}`, { signal, settle });
      this.#crowdOut();
    });
  }

  #crowdOut(): void {
    const { atOnce, waiting, clock } = this.#options;
    const now = clock();
    const pressed = now < this.#pressedUntil;
    if (this.#queue.size <= (pressed ? Math.min(atOnce, waiting) : waiting)) return;
    if (!pressed) this.#options.onPressed?.();
    this.#pressedUntil = now + PRESSED_MS;
    while (this.#queue.size > Math.min(atOnce, waiting)) {
      this.#refused += 1;
      this.#queue.crowdedOut()!.settle(null);
    }
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
    while (this.#busy < this.#options.atOnce && this.#queue.size > 0) {
      const { signal, settle } = this.#queue.next(this.#options.clock() < this.#pressedUntil ? 'NEWEST' : 'OLDEST')!;
      settle(signal.aborted ? null : this.#occupy());
    }
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

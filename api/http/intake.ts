/** What {@link Intake} is built of. */
export interface IntakeOptions {
  /** New requests that begin in one turn; at least one. */
  perTurn: number;
  /** A request that has waited for so long begins whatever comes in, in milliseconds. */
  lateMs: number;
  /** Monotonic milliseconds. */
  clock: () => number;
}

interface Waiting {
  begin: (waitedMs: number) => void;
  since: number;
}

/** Of those that are late, one in so many begins in a turn: however many there are, they are through in about as many turns. */
const LATE_TURNS = 64;

/**
 * Begins only so many new requests in one turn of the event loop; the others wait for the next turns. Whatever has begun goes on in each turn: without this, hundreds of requests that come at a time
 * are all read and judged in one, and everything else waits for its end: answers of servers and of the database, and probes.
 *
 * The newest begins first, since its caller is still there, and those that become late begin beside them: when more come in than can be done, some are served as soon as ever, and the others wait unread, which costs nothing.
 */
export class Intake {
  readonly #options: IntakeOptions;
  /** In the order in which they came; those before `#next` have begun. */
  #waiting: Waiting[] = [];
  #next = 0;
  #begun = 0;
  #armed = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Requests that wait. */
  get size(): number {
    return this.#waiting.length - this.#next;
  }

  /** Calls `begin` now or in one of the next turns, and says how long it has waited. */
  take(begin: (waitedMs: number) => void): void {
    this.#arm();
    if (this.#begun >= this.#options.perTurn) return void this.#waiting.push({ begin, since: this.#options.clock() });
    this.#begun += 1;
    begin(0);
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#armed = false;
    this.#begun = 0;
    if (this.size === 0) return;
    this.#arm();
    const now = this.#options.clock();
    this.#beginLate(now);
    for (let room = this.#options.perTurn; room > 0 && this.size > 0; room--) {
      this.#begun += 1;
      const { begin, since } = this.#waiting.pop()!;
      begin(now - since);
    }
    this.#tidy();
  }

  #beginLate(now: number): void {
    for (let room = Math.ceil(this.size / LATE_TURNS); room > 0 && this.size > 0; room--) {
      const { begin, since } = this.#waiting[this.#next]!;
      if (now - since < this.#options.lateMs) return;
      this.#next += 1;
      begin(now - since);
    }
  }

  #tidy(): void {
    if (this.size > 0 && this.#next < this.#waiting.length / 2) return;
    this.#waiting = this.#waiting.slice(this.#next);
    this.#next = 0;
  }
}

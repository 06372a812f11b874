/**
 * Begins only so many new requests in one turn of the event loop; the others wait for the next turns, the first first. Whatever has begun goes on in each turn: without this, hundreds of requests that come at a time
 * are all read and judged in one, and everything else waits for the end of it, answers of servers and of the database, and probes.
 */
export class Intake {
  #waiting: (() => void)[] = [];
  #next = 0;
  #begun = 0;
  #armed = false;

  /** @param perTurn at least one */
  constructor(private readonly perTurn: number) {}

  /** Requests that wait. */
  get size(): number {
    return this.#waiting.length - this.#next;
  }

  /** Calls `begin` now or in one of the next turns. */
  take(begin: () => void): void {
    this.#arm();
    if (this.size > 0 || this.#begun >= this.perTurn) return void this.#waiting.push(begin);
    this.#begun += 1;
    begin();
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
    while (this.#begun < this.perTurn && this.size > 0) {
      this.#begun += 1;
      this.#waiting[this.#next++]!();
    }
    if (this.size > 0 && this.#next < this.#waiting.length / 2) return;
    this.#waiting = this.#waiting.slice(this.#next);
    this.#next = 0;
  }
}

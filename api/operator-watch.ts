import type { Logger } from '#core/log.js';

const GRACE_MS = 30_000;
const AGAIN_MS = 60 * 60_000;

/** Says in the log when no operator runs: health checks, renewals of logins, revocations that have to be repeated, and retention are its work, and nobody else's. */
export class OperatorWatch {
  #seenAt: number;
  #toldAt: number | null = null;

  /** @param clock monotonic milliseconds */
  constructor(private readonly clock: () => number, private readonly logger: Logger) {
    this.#seenAt = clock();
  }

  /** So many operators live now. Tells half a minute without any, and again every hour; and that there is one again. */
  seen(operators: number): void {
    const now = this.clock();
    if (operators > 0) {
      if (this.#toldAt !== null) this.logger.info('an operator runs again');
      this.#seenAt = now;
      this.#toldAt = null;
      return;
    }
    if (now - this.#seenAt < GRACE_MS || (this.#toldAt !== null && now - this.#toldAt < AGAIN_MS)) return;
    this.#toldAt = now;
    this.logger.warn('no operator runs: servers aren\'t checked, logins aren\'t renewed ahead of time, revocations that failed aren\'t repeated, and old records stay. Start `fairlead operator` on the same database');
  }
}

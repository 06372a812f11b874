import type { Logger } from '#core/log.js';
import { SCHEDULED_KINDS } from '#core/store/schedule.js';
import type { Store } from '#core/store/store.js';
import type { OperatorMetrics } from './runtime/metrics.js';

/** What {@link Housekeeping} is built of. */
export interface HousekeepingOptions {
  store: Pick<Store, 'schedule' | 'oauthAuthorizations' | 'tokens'>;
  metrics: OperatorMetrics;
  /** Workers that were silent for so long are dead. */
  deadAfterMs: number;
  logger: Logger;
}

const ROUND_MS = 10_000;
const TIDY_EVERY = 6;
const AT_ONCE = 500;

/**
 * What belongs to no object: counts what waits, finds objects that aren't on the schedule, ends consents that nobody finished, and deletes what has long been over.
 * Any operator does this for all; doing it twice is harmless.
 */
export class Housekeeping {
  #timer: NodeJS.Timeout | null = null;
  #working: Promise<void> | null = null;
  #rounds = 0;

  constructor(private readonly options: HousekeepingOptions) {}

  start(): void {
    this.#timer = setInterval(() => this.#begin(), ROUND_MS);
    this.#begin();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#working;
  }

  #begin(): void {
    this.#working ??= this.#round()
      .catch((error: unknown) => this.options.logger.error({ err: error }, 'housekeeping failed'))
      .finally(() => { this.#working = null; });
  }

  async #round(): Promise<void> {
    const { store, metrics, deadAfterMs, logger } = this.options;
    const depth = await store.schedule.depth(deadAfterMs);
    for (const kind of SCHEDULED_KINDS) {
      const waiting = depth.find((one) => one.kind === kind);
      metrics.waiting(kind, waiting?.due ?? 0, waiting?.lagMs ?? 0);
    }
    if (this.#rounds++ % TIDY_EVERY !== 0) return;
    const adopted = await store.schedule.adopt();
    if (adopted > 0) logger.info({ objects: adopted }, 'objects were put on the schedule');
    await store.oauthAuthorizations.expire(null);
    while ((await store.oauthAuthorizations.deleteEnded(AT_ONCE)) >= AT_ONCE);
    while ((await store.tokens.deleteExpired(AT_ONCE)) >= AT_ONCE);
  }
}

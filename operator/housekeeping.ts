import type { Config } from '#core/config/config.js';
import type { Logger } from '#core/log.js';
import { AUDIT, CALLS, type PartitionedTable } from '#core/store/partitions.js';
import { SCHEDULED_KINDS } from '#core/store/schedule.js';
import type { Store } from '#core/store/store.js';
import type { OperatorMetrics } from './runtime/metrics.js';

/** What {@link Housekeeping} is built of. */
export interface HousekeepingOptions {
  store: Pick<Store, 'schedule' | 'oauthAuthorizations' | 'tokens' | 'processes' | 'toolCalls' | 'approvals' | 'partitions'>;
  metrics: OperatorMetrics;
  /** Workers that were silent for so long are dead. */
  deadAfterMs: number;
  /** How long records of calls, and of who did what, are kept at least. */
  keptDays: Config['keptDays'];
  now: () => Date;
  logger: Logger;
}

const ROUND_MS = 10_000;
const TIDY_EVERY = 6;
const AT_ONCE = 500;
/** Partitions are made this many periods ahead: an installation whose operator is down for weeks has them. */
const PERIODS_AHEAD = 3;

/**
 * What belongs to no object: counts what waits, ends calls whose process has died, finds objects that aren't on the schedule, ends consents that nobody finished, makes the partitions
 * of records, and deletes what has long been over. Any operator does this for all; doing it twice is harmless, and one thing that fails doesn't keep the others from being done.
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
    const ended = await store.processes.endOrphanedCalls();
    if (ended > 0) logger.warn({ calls: ended }, 'calls of a process that died are on record as OUTCOME_UNKNOWN');
    if (this.#rounds++ % TIDY_EVERY === 0) await this.tidy();
  }

  /** One round of what is done every minute. Throws, when all was tried, what failed first. */
  async tidy(): Promise<void> {
    const { store, keptDays, logger } = this.options;
    const tasks = [
      async () => {
        const adopted = await store.schedule.adopt();
        if (adopted > 0) logger.info({ objects: adopted }, 'objects were put on the schedule');
      },
      () => store.oauthAuthorizations.expire(null),
      () => this.#inBatches(() => store.oauthAuthorizations.deleteEnded(AT_ONCE)),
      () => this.#inBatches(() => store.tokens.deleteExpired(AT_ONCE)),
      () => this.#inBatches(() => store.toolCalls.deleteExpired(AT_ONCE)),
      () => this.#retain(CALLS, keptDays.calls),
      () => this.#retain(AUDIT, keptDays.audit),
      () => this.#inBatches(() => store.approvals.deleteLeft(AT_ONCE)),
    ];
    const failures: unknown[] = [];
    for (const task of tasks) await task().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  async #retain(table: PartitionedTable, keptDays: number): Promise<void> {
    const { store, now, logger } = this.options;
    const { made, dropped } = await store.partitions.tend(table, now(), { keptDays, ahead: PERIODS_AHEAD });
    if (made.length > 0) logger.info({ table: table.name, made }, 'partitions were made');
    if (dropped.length > 0) logger.info({ table: table.name, dropped, keptDays }, 'partitions that are too old were dropped');
    await this.#inBatches(() => store.partitions.deleteStray(table, now(), keptDays, AT_ONCE));
  }

  async #inBatches(deleteSome: () => Promise<number>): Promise<void> {
    while ((await deleteSome()) >= AT_ONCE);
  }
}

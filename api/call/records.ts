import { InvariantBroken } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import { isDataFault } from '#core/store/data-fault.js';
import type { ToolCall } from '#core/store/entities/tool-call.entity.js';

/** What {@link Records} is built of. */
export interface RecordsOptions {
  /** Commits a group of rows, no id twice: `CallLog.write`. */
  write: (calls: readonly ToolCall[]) => Promise<void>;
  logger: Logger;
  /** How long an end may wait for company, in milliseconds. */
  lingerMs: number;
}

interface Pending {
  row: ToolCall;
  /** Those who wait for the row's commit. */
  waiters: { resolve: () => void; reject: (error: Error) => void }[];
}

const LONGEST_RETRY_MS = 2000;

/**
 * Writes call records in groups: one statement at a time, and whatever came meanwhile goes with the next. A later state of a row that still waits
 * replaces the earlier one. A row whose write failed is kept and tried again until it is stored, whoever was waiting has been told.
 */
export class Records {
  readonly #options: RecordsOptions;
  #queue = new Map<string, Pending>();
  #flushing: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failures = 0;

  constructor(options: RecordsOptions) {
    this.#options = options;
  }

  /** Whether the last write failed: then nothing should be sent to a server before its record is stored. */
  get failing(): boolean {
    return this.#failures > 0;
  }

  /** Resolves when the row is committed; rejects when an attempt failed, although it goes on being tried. */
  store(row: ToolCall): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#enqueue(row, { resolve, reject });
    this.#kick();
    return promise;
  }

  /** Takes the row over: it is committed within {@link RecordsOptions.lingerMs} where the database answers, with the next group at the latest. */
  storeSoon(row: ToolCall): void {
    this.#enqueue(row, null);
    if (this.#flushing === null) this.#arm(this.#options.lingerMs);
  }

  /** Resolves when what was taken over before is committed, or an attempt has failed: so that this process reads what it has answered. */
  async flush(): Promise<void> {
    // The first round may only see a group off that was on its way already.
    for (let round = 0; round < 2 && (this.#queue.size > 0 || this.#flushing !== null); round++) {
      this.#kick();
      await this.#flushing;
    }
  }

  /** For the end: writes what is left, trying a few times; returns how many rows the database didn't take. */
  async drain(): Promise<number> {
    for (let attempt = 0; attempt < 3; attempt++) await this.flush();
    this.#disarm();
    return this.#queue.size;
  }

  #enqueue(row: ToolCall, waiter: Pending['waiters'][number] | null): void {
    const pending = this.#queue.get(row.id) ?? { row, waiters: [] };
    pending.row = row;
    if (waiter !== null) pending.waiters.push(waiter);
    this.#queue.set(row.id, pending);
  }

  #kick(): void {
    if (this.#flushing !== null || this.#queue.size === 0) return;
    this.#disarm();
    const group = this.#queue;
    this.#queue = new Map();
    this.#flushing = this.#flush(group).finally(() => {
      this.#flushing = null;
      this.#next();
    });
  }

  /** After a group: at once where somebody waits, soon where only ends are left, later where the database fails. */
  #next(): void {
    if (this.#queue.size === 0) return;
    if (this.#failures > 0) this.#arm(Math.min(LONGEST_RETRY_MS, 50 * 2 ** this.#failures));
    else if ([...this.#queue.values()].some((pending) => pending.waiters.length > 0)) this.#kick();
    else this.#arm(this.#options.lingerMs);
  }

  async #flush(group: Map<string, Pending>): Promise<void> {
    try {
      await this.#options.write([...group.values()].map((pending) => pending.row));
    } catch (error) {
      if (group.size === 1 || !isDataFault(error)) return this.#failed(group, error);
      // One row that can't be stored must not take the others with it.
      for (const [id, pending] of group) await this.#flush(new Map([[id, pending]]));
      return;
    }
    this.#failures = 0;
    for (const pending of group.values()) for (const waiter of pending.waiters) waiter.resolve();
  }

  #failed(group: Map<string, Pending>, error: unknown): void {
    const lost = isDataFault(error);
    if (!lost) this.#failures++;
    this.#options.logger.error({ err: error, calls: [...group.keys()], lost }, 'records of calls could not be written');
    for (const [id, { row, waiters }] of group) {
      for (const waiter of waiters) waiter.reject(new InvariantBroken(`the record of call ${id} could not be written`, { cause: error }));
      if (!lost && !this.#queue.has(id)) this.#queue.set(id, { row, waiters: [] });
    }
  }

  #arm(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#kick();
    }, ms);
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

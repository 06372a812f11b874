import { ChurningMap } from '#core/churning-map.js';
import { InvariantBroken } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import { isDataFault } from '#core/store/data-fault.js';
import type { ToolCall } from '#core/store/entities/tool-call.entity.js';

/** What {@link Records} is built of. */
export interface RecordsOptions {
  /** Commits a group of rows, no id twice: `CallLog.write`. One group at a time for each `awaited`: whether somebody waits for it. */
  write: (calls: readonly ToolCall[], awaited: boolean) => Promise<void>;
  logger: Logger;
  /** How long an end may wait for company, in milliseconds. */
  lingerMs: number;
}

interface Awaited {
  row: ToolCall;
  waiters: { resolve: () => void; reject: (error: Error) => void }[];
}

const LONGEST_RETRY_MS = 2000;
/** So many calls the log names, when many could not be written. */
const NAMED = 20;

/**
 * Writes call records in groups, on two lanes: rows that somebody waits for go out at once, or with the next group if one is on its way; ends that nobody waits for gather for a moment, and are in nobody's way.
 * A later state of a row that still waits replaces the earlier one. A row whose write failed is kept and tried again until it is stored, whoever was waiting has been told.
 */
export class Records {
  readonly #options: RecordsOptions;
  #awaited = new Map<string, Awaited>();
  readonly #ends = new ChurningMap<string, ToolCall>();
  /** Ids that the awaited lane is writing: no end overtakes them, and no two groups wait for each other's rows. */
  #writing: ReadonlySet<string> = new Set();
  #flushing: Promise<void> | null = null;
  #ending: Promise<void> | null = null;
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
    const waiting = this.#awaited.get(row.id) ?? { row, waiters: [] };
    waiting.row = row;
    waiting.waiters.push({ resolve, reject });
    this.#awaited.set(row.id, waiting);
    this.#kick();
    return promise;
  }

  /** Takes the row over: it is committed within {@link RecordsOptions.lingerMs} where the database answers. */
  storeSoon(row: ToolCall): void {
    const waiting = this.#awaited.get(row.id);
    if (waiting !== undefined) {
      waiting.row = row;
      return;
    }
    this.#ends.set(row.id, row);
    this.#arm();
  }

  /** Resolves when what was taken over before is committed, or an attempt has failed: so that this process reads what it has answered. */
  async flush(): Promise<void> {
    // The first round may only see groups off that were on their way already, the second those whose ends had to wait for them.
    for (let round = 0; round < 3 && (this.#left > 0 || this.#flushing !== null || this.#ending !== null); round++) {
      const failures = this.#failures;
      this.#kick();
      this.#kickEnds();
      await Promise.all([this.#flushing, this.#ending]);
      if (this.#failures > failures) return;
    }
  }

  /** For the end: writes what is left, trying a few times; returns how many rows the database didn't take. */
  async drain(): Promise<number> {
    for (let attempt = 0; attempt < 3; attempt++) await this.flush();
    this.#disarm();
    return this.#left;
  }

  get #left(): number {
    return this.#awaited.size + this.#ends.size;
  }

  #kick(): void {
    if (this.#flushing !== null || this.#awaited.size === 0) return;
    const group = this.#awaited;
    this.#awaited = new Map();
    this.#writing = new Set(group.keys());
    this.#flushing = this.#writeAwaited([...group.values()]).finally(() => {
      this.#flushing = null;
      this.#writing = new Set();
      this.#kick();
    });
  }

  #kickEnds(): void {
    if (this.#ending !== null) return;
    const group = [...this.#ends.values()].filter(({ id }) => !this.#writing.has(id));
    if (group.length === 0) return this.#arm();
    this.#disarm();
    for (const { id } of group) this.#ends.delete(id);
    this.#ending = this.#writeEnds(group).finally(() => {
      this.#ending = null;
      this.#arm();
    });
  }

  async #writeAwaited(group: readonly Awaited[]): Promise<void> {
    try {
      await this.#options.write(group.map(({ row }) => row), true);
    } catch (error) {
      if (group.length === 1 || !isDataFault(error)) return this.#failed(group, error);
      // One row that can't be stored must not take the others with it.
      for (const one of group) await this.#writeAwaited([one]);
      return;
    }
    this.#failures = 0;
    for (const { waiters } of group) for (const { resolve } of waiters) resolve();
  }

  async #writeEnds(group: readonly ToolCall[]): Promise<void> {
    try {
      await this.#options.write(group, false);
    } catch (error) {
      if (group.length === 1 || !isDataFault(error)) return this.#failed(group.map((row) => ({ row, waiters: [] })), error);
      for (const one of group) await this.#writeEnds([one]);
      return;
    }
    this.#failures = 0;
  }

  #failed(group: readonly Awaited[], error: unknown): void {
    const lost = isDataFault(error);
    if (!lost) this.#failures++;
    this.#options.logger.error({ err: error, count: group.length, calls: group.slice(0, NAMED).map(({ row }) => row.id), lost }, 'records of calls could not be written');
    for (const { row, waiters } of group) {
      for (const { reject } of waiters) reject(new InvariantBroken(`the record of call ${row.id} could not be written`, { cause: error }));
      if (!lost && !this.#ends.has(row.id) && !this.#awaited.has(row.id)) this.#ends.set(row.id, row);
    }
    this.#arm();
  }

  /** Soon; later where the database fails. */
  #arm(): void {
    if (this.#timer !== null || this.#ends.size === 0) return;
    const ms = this.#failures === 0 ? this.#options.lingerMs : Math.min(LONGEST_RETRY_MS, 50 * 2 ** this.#failures);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#kickEnds();
    }, ms);
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

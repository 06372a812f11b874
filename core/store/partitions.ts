import type { EntityManager } from 'typeorm';

/** A table in time partitions, by ranges of its UUIDv7 ids, and how long one partition is. */
export interface PartitionedTable {
  name: 'tool_calls' | 'audit_events';
  /** Periods are counted from 1970-01-01 UTC; changing this needs a migration. */
  periodDays: number;
  /** The column with a row's own time, for rows whose ids aren't of version 7. */
  timeColumn: string;
}

/** Records of calls: many, and looked at by their newest. */
export const CALLS: PartitionedTable = { name: 'tool_calls', periodDays: 7, timeColumn: 'started_at' };
/** The audit trail: few, and kept for long. */
export const AUDIT: PartitionedTable = { name: 'audit_events', periodDays: 28, timeColumn: 'occurred_at' };

/** What {@link Partitions.tend} changed. */
export interface Tended {
  made: string[];
  dropped: string[];
  /** Another process was at it, or the table was too busy: nothing was done, the next round will. */
  skipped: boolean;
}

interface Found {
  partition: string;
  /** Milliseconds since 1970; -Infinity where there is no lower bound. */
  from: number;
  to: number;
}

const DAY_MS = 86_400_000;
/** Serialises the processes that tend; any constant does, as long as it never changes. */
const LOCK = 4_203_337_005;
/** More rows than these aren't moved out of the default partition while writers wait: they go by age from where they are. */
const MOVED_AT_MOST = 10_000;
/** Writers wait no longer for us than this, behind a query that is running. */
const PATIENCE = '2s';
/** https://www.postgresql.org/docs/18/errcodes-appendix.html: lock_not_available. */
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Makes partitions ahead of time, and drops those that are too old, as one piece. What no partition takes, because nobody has made it yet or because the id holds
 * another time, lands in the default partition: nothing is ever refused. See docs/adr/0018.
 */
export class Partitions {
  constructor(private readonly manager: EntityManager) {}

  /**
   * Makes the partition of `now` and those of the next `ahead` periods, and drops those that ended longer ago than `keptDays`. Harmless to repeat, and for many processes at once.
   */
  async tend(table: PartitionedTable, now: Date, { keptDays, ahead }: { keptDays: number; ahead: number }): Promise<Tended> {
    const tended: Tended = { made: [], dropped: [], skipped: false };
    const periodMs = table.periodDays * DAY_MS;
    const first = Math.floor(now.getTime() / periodMs) * periodMs;
    for (let period = 0; period <= ahead && !tended.skipped; period += 1) {
      const from = first + period * periodMs;
      await this.#apart(tended, async (manager) => {
        if ((await found(manager, table)).some((one) => one.from <= from && from < one.to)) return;
        const made = await make(manager, table, from, from + periodMs);
        if (made !== null) tended.made.push(made);
      });
    }
    const tooOld = now.getTime() - keptDays * DAY_MS;
    for (const { partition, to } of await found(this.manager, table)) {
      if (to > tooOld || tended.skipped) continue;
      await this.#apart(tended, async (manager) => {
        await manager.query(`drop table if exists ${partition}`);
        tended.dropped.push(partition);
      });
    }
    return tended;
  }

  /** Deletes up to `limit` rows of the default partition that are older than `keptDays`; returns how many. */
  async deleteStray(table: PartitionedTable, now: Date, keptDays: number, limit: number): Promise<number> {
    const [, count] = (await this.manager.query(
      `delete from ${table.name}_default where id in (select id from ${table.name}_default where ${table.timeColumn} < $1 limit $2 for update skip locked)`,
      [new Date(now.getTime() - keptDays * DAY_MS), limit],
    )) as [unknown, number];
    return count;
  }

  /** One change in a transaction of its own, by one process at a time, that gives up rather than make writers wait. */
  async #apart(tended: Tended, change: (manager: EntityManager) => Promise<void>): Promise<void> {
    try {
      await this.manager.transaction(async (manager) => {
        const [row] = (await manager.query('select pg_try_advisory_xact_lock($1) as free', [LOCK])) as { free: boolean }[];
        if (row?.free !== true) {
          tended.skipped = true;
          return;
        }
        await manager.query(`set local lock_timeout = '${PATIENCE}'`);
        await change(manager);
      });
    } catch (error) {
      if ((error as { driverError?: { code?: string } }).driverError?.code !== LOCK_NOT_AVAILABLE) throw error;
      tended.skipped = true;
    }
  }
}

/** The lowest id of that millisecond: a UUIDv7 begins with its time (https://www.rfc-editor.org/rfc/rfc9562#section-5.7). */
export function lowestId(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0').padEnd(32, '0');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Partitions with bounds; the default one has none. */
async function found(manager: EntityManager, { name }: PartitionedTable): Promise<Found[]> {
  const rows = (await manager.query(
    `select c.relname as partition, pg_get_expr(c.relpartbound, c.oid) as bounds from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = $1::regclass order by c.relname`,
    [name],
  )) as { partition: string; bounds: string }[];
  return rows.flatMap(({ partition, bounds }) => {
    const match = /^FOR VALUES FROM \((?:MINVALUE|'([0-9a-f-]+)')\) TO \('([0-9a-f-]+)'\)$/.exec(bounds);
    return match === null ? [] : [{ partition, from: match[1] === undefined ? -Infinity : timeOf(match[1]), to: timeOf(match[2]!) }];
  });
}

const timeOf = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);

/**
 * Made beside and then attached, with what the default partition holds of it. Writers wait for that: a row that is on its way to the default partition when its own
 * one is attached would be refused. Null when the default partition holds too much of it.
 */
async function make(manager: EntityManager, { name }: PartitionedTable, from: number, to: number): Promise<string | null> {
  const bounds = [lowestId(from), lowestId(to)] as const;
  const partition = `${name}_${new Date(from).toISOString().slice(0, 10).replaceAll('-', '')}`;
  await manager.query(`lock table ${name} in share row exclusive mode`);
  const [row] = (await manager.query(`select count(*)::int as rows from (select from ${name}_default where id >= $1 and id < $2 limit ${MOVED_AT_MOST + 1}) found`, [...bounds])) as { rows: number }[];
  if (row!.rows > MOVED_AT_MOST) return null;
  await manager.query(`create table ${partition} (like ${name} including all)`);
  if (row!.rows > 0) {
    await manager.query(`with moved as (delete from ${name}_default where id >= $1 and id < $2 returning *) insert into ${partition} select * from moved`, [...bounds]);
  }
  await manager.query(`alter table ${name} attach partition ${partition} for values from ('${bounds[0]}') to ('${bounds[1]}')`);
  return partition;
}

import type { EntityManager } from 'typeorm';
import type { ToolCallFault } from './entities/tool-call.entity.js';

/** What a sweep writes over calls whose process has died. */
export const PROCESS_DIED: ToolCallFault = {
  code: 'TIMEOUT', message: 'The process that made the call ended before the answer was on record. The tool may have run: look before you call again.',
  retryable: false, retryAfterMs: null, action: null,
};

/** What a process says of itself with each beat. */
export interface ProcessFacts {
  role: 'API' | 'OPERATOR';
  /** `id:fingerprint` of every key of its ring, in the order of the ring. */
  keys: readonly string[];
  /** The id of the key that it wraps new data keys with, up to this beat. */
  wrapsWith: string;
}

/** What a process hears with each beat. */
export interface Others {
  /** Of its own keys, the ids of those that every living process holds, in the order of its ring. */
  keysEverywhere: string[];
  /** Operators that live. */
  operators: number;
}

/** A process that lives. One of a version that says nothing of itself has nulls. */
export interface LivingProcess {
  host: string;
  pid: number;
  role: ProcessFacts['role'] | null;
  keys: string[] | null;
  wrapsWith: string | null;
}

/** Generous: who is only paused may go on with what it holds. */
const ALIVE = `heartbeat_at > now() - interval '60 seconds'`;

/** Processes, each known by one heartbeat row. All times are the database's. */
export class Processes {
  constructor(private readonly manager: EntityManager) {}

  /**
   * Says that the process lives; also brings back a row that somebody took for dead.
   * A process of a version that says nothing of its keys holds those that wrap anything: it couldn't work otherwise.
   */
  async beat(id: string, host: string, pid: number, facts: ProcessFacts | null = null): Promise<Others> {
    const keys = facts?.keys ?? [];
    const [others] = (await this.manager.query(
      `with me as (
         insert into processes (id, host, pid, role, keys, wraps_with) values ($1, $2, $3, $4, $5, $6)
         on conflict (id) do update set heartbeat_at = now(), role = excluded.role, keys = excluded.keys, wraps_with = excluded.wraps_with),
       others as (select role, keys from processes where id <> $1 and ${ALIVE})
       select (select count(*) from others where role = 'OPERATOR')::int + ($4::text is not distinct from 'OPERATOR')::int as operators,
         array(select k.id from unnest($7::text[], $5::text[]) with ordinality as k (id, held, place)
           where not exists (select from others o where not case when o.keys is null then k.id in (select kek_id from team_keys) else k.held = any(o.keys) end)
           order by k.place) as "keysEverywhere"`,
      [id, host, pid, facts?.role ?? null, facts === null ? null : keys, facts?.wrapsWith ?? null, keys.map((held) => held.slice(0, held.lastIndexOf(':')))],
    )) as Others[];
    return others!;
  }

  /** Those that live, in no order. */
  async living(): Promise<LivingProcess[]> {
    return (await this.manager.query(`select host, pid, role, keys, wraps_with as "wrapsWith" from processes where ${ALIVE}`)) as LivingProcess[];
  }

  /** Forgets a process that has ended. */
  async remove(id: string): Promise<void> {
    await this.manager.query('delete from processes where id = $1', [id]);
  }

  /** Forgets every process but one: for an installation of a single process, which knows that the others are dead. */
  async removeOthers(id: string): Promise<void> {
    await this.manager.query('delete from processes where id <> $1', [id]);
  }

  /** Calls whose process has been silent for 15 seconds, or is gone, become `OUTCOME_UNKNOWN`; returns how many. */
  async endOrphanedCalls(): Promise<number> {
    const [row] = (await this.manager.query(
      `with dead as (delete from processes where heartbeat_at <= now() - interval '1 hour'),
       ended as (
         update tool_calls c set status = 'OUTCOME_UNKNOWN', error = $1, finished_at = now(), duration_ms = 1000 * extract(epoch from now() - c.started_at)
         where c.status = 'RUNNING'
           and not exists (select from processes p where p.id = c.process_id and p.heartbeat_at > now() - interval '15 seconds')
         returning 1
       )
       select count(*)::int as ended from ended`,
      [JSON.stringify(PROCESS_DIED)],
    )) as { ended: number }[];
    return row?.ended ?? 0;
  }
}

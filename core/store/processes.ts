import type { EntityManager } from 'typeorm';
import type { ToolCallFault } from './entities/tool-call.entity.js';

/** Processes that make calls, each known by one heartbeat row. All times are the database's. */
export class Processes {
  constructor(private readonly manager: EntityManager) {}

  /** Says that the process lives; also brings back a row that somebody took for dead. */
  async beat(id: string, host: string, pid: number): Promise<void> {
    await this.manager.query(
      'insert into processes (id, host, pid) values ($1, $2, $3) on conflict (id) do update set heartbeat_at = now()',
      [id, host, pid],
    );
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
  async endOrphanedCalls(fault: ToolCallFault): Promise<number> {
    const [row] = (await this.manager.query(
      `with dead as (delete from processes where heartbeat_at <= now() - interval '1 hour'),
       ended as (
         update tool_calls c set status = 'OUTCOME_UNKNOWN', error = $1, finished_at = now(), duration_ms = 1000 * extract(epoch from now() - c.started_at)
         where c.status = 'RUNNING'
           and not exists (select from processes p where p.id = c.process_id and p.heartbeat_at > now() - interval '15 seconds')
         returning 1
       )
       select count(*)::int as ended from ended`,
      [JSON.stringify(fault)],
    )) as { ended: number }[];
    return row?.ended ?? 0;
  }
}

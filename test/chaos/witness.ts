import { Pool } from 'pg';
import type { CallRecord } from './call-judge.js';
import type { EndState, StatusChange } from './judge.js';

/** Notes in the database, by a trigger of its own, what the conditions of enrollments say over time, and reads what stands there. */
export class Witness {
  readonly #pool: Pool;

  private constructor(url: string) {
    this.#pool = new Pool({ connectionString: url, max: 1 });
    // The server may say goodbye before a connection that is being ended is closed.
    this.#pool.on('error', () => undefined);
  }

  /** On a migrated database. */
  static async on(url: string): Promise<Witness> {
    const witness = new Witness(url);
    await witness.#pool.query(TRIGGER);
    return witness;
  }

  async changes(): Promise<StatusChange[]> {
    const { rows } = await this.#pool.query<StatusChange>(
      `select enrollment_id as "enrollmentId", (1000 * extract(epoch from at))::float8 as at, fresh, authorized from witness.changes order by number`,
    );
    return rows;
  }

  async ends(): Promise<EndState[]> {
    const { rows } = await this.#pool.query<EndState>(`
      with everything as (
        select 'ConnectionType' as kind, connection_type_id as id, conditions from connection_type_status
        union all select 'Enrollment', enrollment_id, conditions from enrollment_status)
      select kind, id, coalesce(r->>'status' = 'TRUE', false) as ready, r->>'reason' as reason, coalesce(r->>'message', '') as message
      from everything left join lateral (select c as r from jsonb_array_elements(conditions) c where c->>'type' = 'Ready') on true`);
    return rows;
  }

  /** Logins that have yet to read their first list of tools. */
  async withoutTools(): Promise<number> {
    const { rows } = await this.#pool.query<{ count: number }>(`
      select count(*)::int as count from enrollments e join enrollment_status s on s.enrollment_id = e.id join connection_type_status t on t.connection_type_id = e.connection_type_id
      where s.tools_synced_at is null and t.tools_source is null or t.last_checked_at is null`);
    return rows[0]!.count;
  }

  /** Presentations of refresh tokens that are under way, or whose answer was lost and is still waited for. */
  async attempts(): Promise<Set<string>> {
    const { rows } = await this.#pool.query<{ id: string }>('select attempt_id as id from oauth_grants where attempt_id is not null');
    return new Set(rows.map(({ id }) => id));
  }

  async running(): Promise<number> {
    const { rows } = await this.#pool.query<{ count: number }>(`select count(*)::int as count from tool_calls where status = 'RUNNING'`);
    return rows[0]!.count;
  }

  async records(): Promise<CallRecord[]> {
    const { rows } = await this.#pool.query<CallRecord>('select id, caller_id as "callerId", enrollment_id as "enrollmentId", status from tool_calls');
    return rows;
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

const TRIGGER = `
create schema witness;
create table witness.changes (number bigint generated always as identity, enrollment_id uuid, at timestamptz, fresh text, authorized text);
create function witness.reason(conditions jsonb, wanted text) returns text language sql immutable
  return (select c->>'reason' from jsonb_array_elements(conditions) c where c->>'type' = wanted);
create function witness.note() returns trigger language plpgsql as $$ begin
  insert into witness.changes (enrollment_id, at, fresh, authorized)
  values (new.enrollment_id, clock_timestamp(), witness.reason(new.conditions, 'Fresh'), witness.reason(new.conditions, 'Authorized'));
  return null;
end $$;
create trigger note after update of conditions on enrollment_status for each row when (new.conditions is distinct from old.conditions) execute function witness.note();
`;

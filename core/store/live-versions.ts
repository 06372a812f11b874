import type { EntityManager } from 'typeorm';
import type { ToolCall } from './entities/tool-call.entity.js';

/** One row as far as watching it goes: whose it is, and a digest of what its viewers see of it. */
export interface LiveVersion {
  id: string;
  /** Null for what the whole team sees. */
  ownerId: string | null;
  shared: boolean;
  digest: string;
}

/** What {@link LiveVersions.calls} says of a record. */
export function callDigest({ status, progress }: Pick<ToolCall, 'status' | 'progress'>): string {
  return progress === null ? status : `${status} ${progress.updatedAt}`;
}

/** Probe timings are left out of it: a check that found nothing new is no news. */
const TYPES = `
  select t.id, null as "ownerId", true as shared, md5(concat_ws('|', t.version, t.updated_at, s.conditions, s.era, s.protocol_version, s.server_name, s.server_version, s.tools_source,
    (select string_agg(concat_ws(',', c.id, c.updated_at), ';' order by c.id) from oauth_clients c where c.connection_type_id = t.id), d.issuer,
    (select sum(hashtextextended(concat_ws(',', o.name, o.definition_hash, o.accepted_hash, o.removed_at), 0)) from tools o where o.connection_type_id = t.id and o.enrollment_id is null))) as digest
  from connection_types t
  left join connection_type_status s on s.connection_type_id = t.id
  left join oauth_discoveries d on d.connection_type_id = t.id
  where t.team_id = $1 and t.deleted_at is null`;

const ENROLLMENTS = `
  select e.id, e.owner_id as "ownerId", e.shared, md5(concat_ws('|', e.label, e.shared, e.updated_at, es.conditions, t.version, ts.conditions, c.version, c.fields,
    g.scopes, g.expires_at, g.refresh_at, g.last_refresh_at, g.failed_refreshes, g.next_attempt_at,
    (select sum(hashtextextended(concat_ws(',', o.name, o.definition_hash, o.accepted_hash, o.removed_at), 0)) from tools o where o.enrollment_id = e.id))) as digest
  from enrollments e
  join connection_types t on t.id = e.connection_type_id
  left join connection_type_status ts on ts.connection_type_id = t.id
  left join enrollment_status es on es.enrollment_id = e.id
  left join credentials c on c.enrollment_id = e.id
  left join oauth_grants g on g.enrollment_id = e.id
  where e.team_id = $1 and e.deleted_at is null`;

/** Versions of what is watched, with one statement each, however many watch. */
export class LiveVersions {
  constructor(private readonly manager: EntityManager) {}

  /** The team's connection types. */
  async connectionTypes(teamId: string): Promise<LiveVersion[]> {
    return (await this.manager.query(TYPES, [teamId])) as LiveVersion[];
  }

  /** All enrollments of the team: who may see which of them is the caller's to decide. */
  async enrollments(teamId: string): Promise<LiveVersion[]> {
    return (await this.manager.query(ENROLLMENTS, [teamId])) as LiveVersion[];
  }

  /** Where these calls stand and how far they say they are, by id (see `callDigest`); what isn't stored (yet) is left out. */
  async calls(ids: readonly string[]): Promise<Map<string, string>> {
    const rows = (await this.manager.query(`select id, status || coalesce(' ' || (progress->>'updatedAt'), '') as status from tool_calls where id = any($1::uuid[])`, [ids])) as { id: string; status: string }[];
    return new Map(rows.map((row) => [row.id, row.status]));
  }
}

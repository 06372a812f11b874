import type { EntityManager } from 'typeorm';
import type { ConnectionType, ConnectionTypeStatus } from './entities/connection-type.entity.js';
import type { OAuthClient } from './entities/oauth-client.entity.js';
import type { Claim } from './schedule.js';

/** Everything that a look at a type's server starts from, as it stood at one moment. */
export interface TypeSituation {
  type: ConnectionType;
  status: ConnectionTypeStatus;
  /** Moves with every write to the status. */
  statusMark: string;
  /** When its OAuth metadata were read last; null: never. */
  discoveredAt: Date | null;
  /** The client that counts; null where there is none. */
  client: Pick<OAuthClient, 'state' | 'updatedAt' | 'clientSecretExpiresAt'> | null;
  /** What is stored of the type's own list of tools: MD5 of the definition in hexadecimal digits, by name. */
  toolDigests: Readonly<Record<string, string>>;
  /** By the database's clock. */
  now: Date;
}

/** A look that found everything as it stands. */
export interface UneventfulLook {
  claim: Pick<Claim, 'id' | 'epoch'>;
  situation: Pick<TypeSituation, 'type' | 'statusMark'>;
  /** Whether the list of tools was read. */
  toolsRead: boolean;
  /** When the server is to be looked at next. */
  requeueAfterMs: number;
}

/** The routine of looking at servers, many types in one statement: most looks find nothing new. */
export class TypeLooks {
  constructor(private readonly manager: EntityManager) {}

  /** In any order; types that are gone, or hidden, are left out. */
  async situations(ids: readonly string[]): Promise<TypeSituation[]> {
    const rows = (await this.manager.query(SITUATIONS, [ids])) as Row[];
    return rows.map(({ mark, discoveredAt, client, digests, now, ...row }) => ({
      type: {
        id: row.id, teamId: row.teamId, name: row.name, spec: row.spec, version: row.version, origin: row.origin, createdAt: row.createdAt, updatedAt: row.updatedAt,
      },
      status: {
        connectionTypeId: row.id, conditions: row.conditions, era: row.era, protocolVersion: row.protocolVersion, serverName: row.serverName, serverVersion: row.serverVersion,
        toolsSource: row.toolsSource, toolsSyncedAt: row.toolsSyncedAt, lastCheckedAt: row.lastCheckedAt, failedChecks: row.failedChecks, nextCheckAt: row.nextCheckAt, updatedAt: row.statusUpdatedAt,
      },
      statusMark: mark, discoveredAt, toolDigests: digests ?? {}, now,
      client: client === null ? null : {
        state: client.state, updatedAt: new Date(client.updatedAt), clientSecretExpiresAt: client.clientSecretExpiresAt === null ? null : new Date(client.clientSecretExpiresAt),
      },
    }));
  }

  /**
   * Writes the times of looks that found nothing new, and ends their runs with the same statement. Answers the ids that this was true of: where spec or status have moved
   * since, or the run doesn't count any more, nothing is written.
   */
  async settle(looks: readonly UneventfulLook[]): Promise<Set<string>> {
    const rows = (await this.manager.query(SETTLE, [
      looks.map(({ claim }) => claim.id), looks.map(({ claim }) => claim.epoch), looks.map(({ situation }) => situation.type.version), looks.map(({ situation }) => situation.statusMark),
      looks.map(({ toolsRead }) => toolsRead), looks.map(({ requeueAfterMs }) => requeueAfterMs),
    ])) as [{ id: string }[], number];
    return new Set(rows[0].map(({ id }) => id));
  }
}

/** One row of {@link SITUATIONS}: times inside JSON come as text. */
type Row = ConnectionType & Omit<ConnectionTypeStatus, 'connectionTypeId' | 'updatedAt'> & {
  statusUpdatedAt: Date;
  mark: string;
  discoveredAt: Date | null;
  client: { state: OAuthClient['state']; updatedAt: string; clientSecretExpiresAt: string | null } | null;
  digests: Record<string, string> | null;
  now: Date;
};

const SITUATIONS = `
select t.id, t.team_id as "teamId", t.name, t.spec, t.version, t.origin, t.created_at as "createdAt", t.updated_at as "updatedAt",
  s.conditions, s.era, s.protocol_version as "protocolVersion", s.server_name as "serverName", s.server_version as "serverVersion", s.tools_source as "toolsSource",
  s.tools_synced_at as "toolsSyncedAt", s.last_checked_at as "lastCheckedAt", s.failed_checks as "failedChecks", s.next_check_at as "nextCheckAt", s.updated_at as "statusUpdatedAt",
  s.xmin::text as mark, d.discovered_at as "discoveredAt", clock_timestamp() as now,
  case when c.id is not null then jsonb_build_object('state', c.state, 'updatedAt', c.updated_at, 'clientSecretExpiresAt', c.client_secret_expires_at) end as client,
  (select jsonb_object_agg(o.name, md5(o.definition)) from tools o where o.scope_id = t.id and o.removed_at is null) as digests
from connection_types t join connection_type_status s on s.connection_type_id = t.id
left join oauth_discoveries d on d.connection_type_id = t.id
left join oauth_clients c on c.connection_type_id = t.id and c.state <> 'RETIRED'
where t.id = any($1::uuid[]) and t.deleted_at is null`;

/** Nothing is waited for, so that it can't deadlock: a row that somebody holds is about to move. */
const SETTLE = `
with looks as (
  select * from unnest($1::uuid[], $2::bigint[], $3::integer[], $4::text[], $5::boolean[], $6::float8[]) as l (id, epoch, version, mark, tools_read, wait)),
standing as (
  select l.*, clock_timestamp() as now from looks l
  join connection_types t on t.id = l.id and t.version = l.version and t.deleted_at is null
  join connection_type_status s on s.connection_type_id = l.id and s.xmin::text = l.mark
  join reconcile_schedule r on r.kind = 'ConnectionType' and r.id = l.id and r.epoch = l.epoch and r.worker is not null
  for update of s, r skip locked),
written as (
  update connection_type_status s set last_checked_at = l.now, failed_checks = 0, next_check_at = l.now + l.wait * interval '1 millisecond', updated_at = l.now,
    tools_synced_at = case when l.tools_read then l.now else s.tools_synced_at end
  from standing l where s.connection_type_id = l.id)
update reconcile_schedule r set worker = null, claimed_at = null, failures = 0,
  due = case when r.dirty <> r.claimed_dirty then l.now else l.now + l.wait * interval '1 millisecond' end
from standing l where r.kind = 'ConnectionType' and r.id = l.id returning r.id`;

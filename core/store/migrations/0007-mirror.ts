import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The mirror of Kubernetes (design section 8). Expands only: a program without it sees hidden rows as they were, and what it writes marks the mirror all the same,
 * since the marks are set by triggers (docs/adr/0024).
 */
export class Mirror1795380000007 implements MigrationInterface {
  readonly name = 'Mirror1795380000007';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SQL);
  }

  async down(): Promise<void> {
    throw new Error('Fairlead migrates forwards only: restore a backup to go back.');
  }
}

const SQL = `
alter table reconcile_schedule drop constraint reconcile_schedule_kind_check;
alter table reconcile_schedule add constraint reconcile_schedule_kind_check check (kind in ('ConnectionType', 'Enrollment', 'MirrorNamespace', 'MirrorObject', 'Tombstone'));

alter table connection_types add column deleted_at timestamptz;
alter table enrollments add column deleted_at timestamptz;

create table mirror_namespaces (
  id uuid primary key,
  team_id uuid not null unique references teams (id) on delete cascade,
  namespace text not null unique,
  cluster_uid text,
  namespace_uid text,
  state text not null check (state in ('WAITING', 'BOUND', 'FROZEN')),
  message text not null default '',
  held_since timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (state <> 'BOUND' or (cluster_uid is not null and namespace_uid is not null))
);

create table mirror_objects (
  id uuid primary key,
  team_id uuid references teams (id) on delete cascade,
  kind text not null check (kind in ('ConnectionType', 'Enrollment')),
  namespace text not null,
  name text not null,
  origin text not null check (origin in ('API', 'MANIFEST')),
  state text not null default 'ACTIVE' check (state in ('ACTIVE', 'TOMBSTONE', 'ORPHANED', 'OFFERED')),
  object_uid text,
  subject_id uuid,
  type_name text,
  generation bigint,
  version integer,
  applied_hash text,
  conditions jsonb not null default '[]',
  secret_hash bytea,
  refused_hash bytea,
  secrets_read_at timestamptz,
  secret_failures integer not null default 0,
  share_asked boolean not null default false,
  share_agreed boolean not null default false,
  lost_type boolean not null default false,
  tombstoned_at timestamptz,
  grace_until timestamptz,
  grace_seconds integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (namespace, kind, name),
  check ((state = 'TOMBSTONE') = (tombstoned_at is not null)),
  check (state <> 'OFFERED' or origin = 'API')
);
create index mirror_objects_by_subject on mirror_objects (subject_id);
create index mirror_objects_by_team on mirror_objects (team_id, state);

create function mirror_mark(objects uuid[]) returns void language plpgsql as $$
begin
  insert into reconcile_schedule (kind, id, lane, due)
    select 'MirrorObject', m.id, '', now() from mirror_objects m where m.id = any (objects) order by m.id
    on conflict (kind, id) do update set dirty = reconcile_schedule.dirty + 1, due = least(reconcile_schedule.due, now());
  if found then perform pg_notify('fairlead_due', ''); end if;
end $$;

create function mirror_track(team uuid) returns void language plpgsql as $$
declare tracked uuid[];
begin
  with rows as (
    select 'ConnectionType' as kind, t.id, t.name from connection_types t where t.team_id = team and t.origin = 'API' and t.deleted_at is null
    union all
    select 'Enrollment', e.id, t.name || '-' || substr(encode(sha256(convert_to(e.id::text, 'UTF8')), 'hex'), 1, 10)
    from enrollments e join connection_types t on t.id = e.connection_type_id
    where e.team_id = team and e.origin = 'API' and e.deleted_at is null and t.deleted_at is null),
  made as (
    insert into mirror_objects (id, team_id, kind, namespace, name, origin, subject_id)
    select gen_random_uuid(), team, r.kind, n.namespace, r.name, 'API', r.id
    from rows r join mirror_namespaces n on n.team_id = team and n.state = 'BOUND'
    where not exists (select from mirror_objects m where m.subject_id = r.id)
    order by r.id
    on conflict (namespace, kind, name) do nothing returning id)
  select array_agg(id) into tracked from made;
  if tracked is not null then perform mirror_mark(tracked); end if;
end $$;

create function mirror_type_changed() returns trigger language plpgsql as $$
declare gone connection_types; kept connection_types;
begin
  if tg_op <> 'INSERT' then gone := old; end if;
  if tg_op <> 'DELETE' then kept := new; else kept := old; end if;
  if not exists (select from mirror_namespaces n where n.team_id = kept.team_id) then return null; end if;
  if tg_op = 'INSERT' and kept.origin = 'API' then perform mirror_track(kept.team_id); end if;
  perform mirror_mark(array(
    select m.id from mirror_objects m where m.subject_id = kept.id
    union select m.id from mirror_objects m where m.team_id = kept.team_id and m.kind = 'Enrollment' and m.type_name = kept.name and (tg_op <> 'UPDATE' or gone.deleted_at is distinct from kept.deleted_at or gone.version <> kept.version)));
  return null;
end $$;
create trigger mirror_type_changed after insert or delete or update of spec, version, name, origin, deleted_at on connection_types for each row execute function mirror_type_changed();

create function mirror_enrollment_changed() returns trigger language plpgsql as $$
declare kept enrollments;
begin
  if tg_op <> 'DELETE' then kept := new; else kept := old; end if;
  if not exists (select from mirror_namespaces n where n.team_id = kept.team_id) then return null; end if;
  if tg_op = 'INSERT' and kept.origin = 'API' then perform mirror_track(kept.team_id); end if;
  perform mirror_mark(array(select m.id from mirror_objects m where m.subject_id = kept.id));
  return null;
end $$;
create trigger mirror_enrollment_changed after insert or delete or update of label, shared, confirmed_target, origin, deleted_at on enrollments
  for each row execute function mirror_enrollment_changed();

create function mirror_type_status_changed() returns trigger language plpgsql as $$
begin
  perform mirror_mark(array(
    select m.id from mirror_objects m where m.subject_id = new.connection_type_id
    union select m.id from mirror_objects m join enrollments e on e.id = m.subject_id where e.connection_type_id = new.connection_type_id));
  return null;
end $$;
create trigger mirror_type_status_changed after update on connection_type_status for each row
  when (old.conditions is distinct from new.conditions or old.protocol_version is distinct from new.protocol_version
    or old.server_name is distinct from new.server_name or old.server_version is distinct from new.server_version)
  execute function mirror_type_status_changed();

create function mirror_login_changed() returns trigger language plpgsql as $$
begin
  perform mirror_mark(array(select m.id from mirror_objects m where m.subject_id = new.enrollment_id));
  return null;
end $$;
create trigger mirror_enrollment_status_changed after update on enrollment_status for each row
  when (old.conditions is distinct from new.conditions) execute function mirror_login_changed();
create trigger mirror_grant_changed after update on oauth_grants for each row
  when ((old.expires_at, old.refresh_at, old.last_refresh_at, old.failed_refreshes, old.next_attempt_at)
    is distinct from (new.expires_at, new.refresh_at, new.last_refresh_at, new.failed_refreshes, new.next_attempt_at))
  execute function mirror_login_changed();
`;

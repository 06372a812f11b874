import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Teams, people, the catalog, enrollments, calls and audit. Plain SQL; never renumbered, never edited once released. */
export class Foundation1795380000001 implements MigrationInterface {
  readonly name = 'Foundation1795380000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SQL);
  }

  async down(): Promise<void> {
    throw new Error('Fairlead migrates forwards only: restore a backup to go back.');
  }
}

const SQL = `
create table schema_level (needs integer not null);
insert into schema_level values (1);

create table teams (
  id uuid primary key,
  slug text not null unique check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  display_name text not null,
  created_at timestamptz not null default now()
);

create table members (
  id uuid primary key,
  team_id uuid not null references teams on delete cascade,
  subject text not null,
  local boolean not null,
  display_name text not null,
  role text not null check (role in ('MEMBER', 'MANAGER', 'ADMIN')),
  source text not null check (source in ('API', 'CLAIM')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (team_id, local, subject)
);
create index members_by_subject on members (local, subject);

create table tokens (
  id uuid primary key,
  kind text not null check (kind in ('INSTALLATION', 'PERSONAL', 'LOCAL_MEMBER')),
  team_id uuid references teams on delete cascade,
  member_id uuid references members on delete cascade,
  creator_id uuid references members on delete cascade,
  name text not null,
  prefix text not null,
  hash bytea not null unique,
  expires_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  check ((kind = 'INSTALLATION') = (team_id is null)),
  check ((kind = 'INSTALLATION') = (member_id is null)),
  check ((kind = 'INSTALLATION') = (creator_id is null))
);
create index tokens_by_member on tokens (member_id);
create index tokens_by_creator on tokens (creator_id);

create table team_keys (
  team_id uuid not null references teams on delete cascade,
  version integer not null,
  kek_id text not null,
  wrapped bytea not null,
  created_at timestamptz not null default now(),
  primary key (team_id, version)
);

create table connection_types (
  id uuid primary key,
  team_id uuid not null references teams on delete cascade,
  name text not null check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  spec jsonb not null check (spec->>'authMethod' in ('NONE', 'ACCESS_TOKEN', 'CUSTOM_HEADERS', 'OAUTH')),
  version integer not null default 1,
  origin text not null check (origin in ('API', 'MANIFEST')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (team_id, name)
);

create table connection_type_status (
  connection_type_id uuid primary key references connection_types on delete cascade,
  conditions jsonb not null default '[]',
  era text check (era in ('LEGACY', 'MODERN')),
  protocol_version text,
  server_name text,
  server_version text,
  tools_source text check (tools_source in ('ANONYMOUS', 'SHARED')),
  tools_synced_at timestamptz,
  last_checked_at timestamptz,
  next_check_at timestamptz,
  updated_at timestamptz not null default now()
);

create table enrollments (
  id uuid primary key,
  team_id uuid not null references teams on delete cascade,
  connection_type_id uuid not null references connection_types on delete cascade,
  owner_id uuid not null references members on delete cascade,
  label text not null default '',
  shared boolean not null default false,
  origin text not null check (origin in ('API', 'MANIFEST')),
  confirmed_target jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (connection_type_id, owner_id, label)
);
create index enrollments_by_owner on enrollments (owner_id);
create index enrollments_by_team on enrollments (team_id, id);

create table enrollment_status (
  enrollment_id uuid primary key references enrollments on delete cascade,
  tools_synced_at timestamptz,
  conditions jsonb not null default '[]',
  updated_at timestamptz not null default now()
);

create table credentials (
  enrollment_id uuid primary key references enrollments on delete cascade,
  team_id uuid not null references teams on delete cascade,
  kind text not null check (kind in ('NONE', 'ACCESS_TOKEN', 'CUSTOM_HEADERS', 'OAUTH')),
  version integer not null,
  sealed bytea,
  fields jsonb not null default '[]',
  updated_at timestamptz not null default now(),
  check (kind <> 'NONE' or sealed is null)
);

create table tools (
  id uuid primary key,
  team_id uuid not null references teams on delete cascade,
  connection_type_id uuid not null references connection_types on delete cascade,
  enrollment_id uuid references enrollments on delete cascade,
  scope_id uuid not null,
  name text not null,
  definition text not null,
  definition_hash text not null,
  accepted_hash text not null,
  change jsonb,
  removed_at timestamptz,
  created_at timestamptz not null default now(),
  unique (scope_id, name),
  check (scope_id = coalesce(enrollment_id, connection_type_id))
);
create index tools_by_type on tools (connection_type_id);
create index tools_by_enrollment on tools (enrollment_id);

create table processes (
  id uuid primary key,
  host text not null,
  pid integer not null,
  started_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now()
);

-- No foreign keys: records are written in groups on the hot path, where a lock on the team's row per call, or one deleted team failing a group, has no place.
create table tool_calls (
  id uuid primary key,
  team_id uuid not null,
  process_id uuid not null,
  caller_id uuid not null,
  caller_name text not null,
  on_behalf_of_id uuid,
  on_behalf_of_name text,
  token_id uuid,
  request_id text not null,
  connection_type_id uuid not null,
  connection_type_name text not null,
  enrollment_id uuid not null,
  enrollment_label text not null,
  tool text not null,
  status text not null check (status in ('RUNNING', 'SUCCEEDED', 'TOOL_ERROR', 'FAILED', 'CANCELLED', 'OUTCOME_UNKNOWN', 'PENDING_APPROVAL', 'DENIED')),
  error jsonb,
  started_at timestamptz not null,
  finished_at timestamptz,
  duration_ms double precision,
  kept boolean not null,
  cancel_requested_at timestamptz,
  check ((finished_at is null) = (status in ('RUNNING', 'PENDING_APPROVAL')))
);
create index tool_calls_by_team on tool_calls (team_id, id desc);
create index tool_calls_running on tool_calls (process_id) where status = 'RUNNING';

create table tool_call_payloads (
  tool_call_id uuid primary key,
  team_id uuid not null references teams on delete cascade,
  sealed_arguments bytea,
  sealed_result bytea,
  expires_at timestamptz not null
);
create index tool_call_payloads_by_expiry on tool_call_payloads (expires_at);

create table idempotency_keys (
  scope bytea not null,
  key text not null,
  team_id uuid not null references teams on delete cascade,
  request_hash bytea not null,
  tool_call_id uuid not null,
  expires_at timestamptz not null,
  primary key (scope, key)
);
create index idempotency_keys_by_expiry on idempotency_keys (expires_at);

create table audit_events (
  id uuid primary key,
  team_id uuid references teams on delete cascade,
  actor_id uuid,
  actor_name text not null,
  on_behalf_of_name text,
  token_id uuid,
  action text not null,
  subject_type text,
  subject_id uuid,
  subject_name text,
  outcome text not null check (outcome in ('SUCCEEDED', 'REFUSED', 'FAILED')),
  code text,
  request_id text not null,
  occurred_at timestamptz not null
);
create index audit_events_by_team on audit_events (team_id, id desc);
`;

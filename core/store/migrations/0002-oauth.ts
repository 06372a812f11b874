import type { MigrationInterface, QueryRunner } from 'typeorm';

/** OAuth: what was discovered, clients at issuers, consents under way, tokens' lives, revocations that remain. */
export class OAuth1795380000002 implements MigrationInterface {
  readonly name = 'OAuth1795380000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SQL);
  }

  async down(): Promise<void> {
    throw new Error('Fairlead migrates forwards only: restore a backup to go back.');
  }
}

const SQL = `
create table oauth_discoveries (
  connection_type_id uuid primary key references connection_types on delete cascade,
  server_url text not null,
  issuer text not null,
  token_host text not null,
  resource text not null,
  metadata jsonb not null,
  scopes_supported text[] not null,
  challenge_scopes text[] not null,
  fallbacks text[] not null,
  discovered_at timestamptz not null
);

create table oauth_clients (
  id uuid primary key,
  team_id uuid not null references teams on delete cascade,
  connection_type_id uuid not null references connection_types on delete cascade,
  issuer text not null,
  redirect_uri text not null,
  method text not null check (method in ('PREREGISTERED', 'METADATA_DOCUMENT', 'DYNAMIC')),
  state text not null check (state in ('PENDING', 'ACTIVE', 'OUTCOME_UNKNOWN', 'REFUSED', 'RETIRED')),
  version integer not null default 1,
  client_id text,
  token_endpoint_auth_method text,
  sealed bytea,
  client_secret_expires_at timestamptz,
  registration_client_uri text,
  message text,
  attempted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((state = 'ACTIVE') <= (client_id is not null))
);
-- One client that counts for a type at an issuer; the others are history.
create unique index oauth_clients_current on oauth_clients (connection_type_id) where state in ('PENDING', 'ACTIVE', 'OUTCOME_UNKNOWN', 'REFUSED');

create table oauth_grants (
  enrollment_id uuid primary key references enrollments on delete cascade,
  team_id uuid not null references teams on delete cascade,
  client_id uuid references oauth_clients on delete set null,
  issuer text,
  scopes text[] not null default '{}',
  wanted_scopes text[] not null default '{}',
  obtained_at timestamptz,
  expires_at timestamptz,
  refreshable boolean not null default false,
  refresh_at timestamptz,
  last_refresh_at timestamptz,
  failed_refreshes integer not null default 0,
  next_attempt_at timestamptz,
  attempt_id uuid,
  attempt_version integer,
  attempt_until timestamptz,
  outcome_unknown_at timestamptz,
  updated_at timestamptz not null default now(),
  check ((attempt_id is null) = (attempt_until is null)),
  check ((attempt_id is null) = (attempt_version is null))
);
create index oauth_grants_by_client on oauth_grants (client_id);

create table oauth_authorizations (
  id uuid primary key,
  team_id uuid not null references teams on delete cascade,
  enrollment_id uuid not null references enrollments on delete cascade,
  member_id uuid not null references members on delete cascade,
  state text not null check (state in ('LINKED', 'SENT', 'FINISHING', 'READY', 'DENIED', 'FAILED', 'EXPIRED')),
  link_hash bytea not null unique,
  cookie_hash bytea,
  state_hash bytea unique,
  sealed bytea,
  client_id uuid references oauth_clients on delete cascade,
  issuer text,
  scopes text[] not null default '{}',
  return_url text,
  message text,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((state in ('SENT', 'FINISHING')) <= (cookie_hash is not null and state_hash is not null and sealed is not null))
);
create index oauth_authorizations_by_enrollment on oauth_authorizations (enrollment_id);
create index oauth_authorizations_by_expiry on oauth_authorizations (expires_at) where state in ('LINKED', 'SENT', 'FINISHING');

-- What remains to be undone at providers; outlives the enrollment or type that it comes from, holds it sealed, and goes when it is done or given up.
create table oauth_leftovers (
  id uuid primary key,
  team_id uuid not null references teams on delete cascade,
  kind text not null check (kind in ('TOKENS', 'CLIENT')),
  subject_name text not null,
  issuer text not null,
  sealed bytea,
  outcome text not null check (outcome in ('PENDING', 'REVOKED', 'NOT_SUPPORTED', 'ABANDONED')),
  message text not null default '',
  attempts integer not null default 0,
  next_attempt_at timestamptz,
  give_up_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((outcome = 'PENDING') = (sealed is not null))
);
create index oauth_leftovers_due on oauth_leftovers (next_attempt_at) where outcome = 'PENDING';
`;

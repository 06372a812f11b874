-- GENERATED from a freshly migrated database by `npm run generate:database`, to be read and compared. Don't edit: core/store/migrations makes the schema.

CREATE OR REPLACE FUNCTION mirror_enrollment_changed()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare kept enrollments;
begin
  if tg_op <> 'DELETE' then kept := new; else kept := old; end if;
  if not exists (select from mirror_namespaces n where n.team_id = kept.team_id) then return null; end if;
  if tg_op = 'INSERT' and kept.origin = 'API' then perform mirror_track(kept.team_id); end if;
  perform mirror_mark(array(select m.id from mirror_objects m where m.subject_id = kept.id));
  return null;
end $function$;

CREATE OR REPLACE FUNCTION mirror_login_changed()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform mirror_mark(array(select m.id from mirror_objects m where m.subject_id = new.enrollment_id));
  return null;
end $function$;

CREATE OR REPLACE FUNCTION mirror_mark(objects uuid[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  insert into reconcile_schedule (kind, id, lane, due)
    select 'MirrorObject', m.id, '', now() from mirror_objects m where m.id = any (objects) order by m.id
    on conflict (kind, id) do update set dirty = reconcile_schedule.dirty + 1, due = least(reconcile_schedule.due, now());
  if found then perform pg_notify('fairlead_due', ''); end if;
end $function$;

CREATE OR REPLACE FUNCTION mirror_track(team uuid)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION mirror_type_changed()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
end $function$;

CREATE OR REPLACE FUNCTION mirror_type_status_changed()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform mirror_mark(array(
    select m.id from mirror_objects m where m.subject_id = new.connection_type_id
    union select m.id from mirror_objects m join enrollments e on e.id = m.subject_id where e.connection_type_id = new.connection_type_id));
  return null;
end $function$;

CREATE OR REPLACE FUNCTION origin_kept()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if current_setting('fairlead.adopts', true) is distinct from new.id::text then
    raise exception 'the origin of % is immutable but for its adoption', new.id using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $function$;

create table assignment_pins (
  assignment_id uuid not null,
  connection_type_id uuid not null,
  member_id uuid,
  enrollment_id uuid not null,
  constraint assignment_pins_assignment_id_connection_type_id_member_id_key UNIQUE NULLS NOT DISTINCT (assignment_id, connection_type_id, member_id),
  constraint assignment_pins_assignment_id_connection_type_id_fkey FOREIGN KEY (assignment_id, connection_type_id) REFERENCES assignment_slots(assignment_id, connection_type_id) ON DELETE CASCADE,
  constraint assignment_pins_enrollment_id_fkey FOREIGN KEY (enrollment_id) REFERENCES enrollments(id) ON DELETE CASCADE,
  constraint assignment_pins_member_id_fkey FOREIGN KEY (member_id) REFERENCES members(id) ON DELETE CASCADE
);
create index assignment_pins_by_enrollment ON assignment_pins USING btree (enrollment_id);
create index assignment_pins_by_member ON assignment_pins USING btree (member_id);

create table assignment_slots (
  assignment_id uuid not null,
  connection_type_id uuid not null,
  "position" integer not null,
  allowed_tools text[],
  require_approval text[] default '{}'::text[] not null,
  constraint assignment_slots_pkey PRIMARY KEY (assignment_id, connection_type_id),
  constraint assignment_slots_allowed_tools_check CHECK (cardinality(allowed_tools) > 0),
  constraint assignment_slots_assignment_id_fkey FOREIGN KEY (assignment_id) REFERENCES assignments(id) ON DELETE CASCADE,
  constraint assignment_slots_connection_type_id_fkey FOREIGN KEY (connection_type_id) REFERENCES connection_types(id) ON DELETE CASCADE
);
create index assignment_slots_by_type ON assignment_slots USING btree (connection_type_id);

create table assignments (
  id uuid not null,
  team_id uuid not null,
  name text not null,
  version integer default 1 not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  constraint assignments_pkey PRIMARY KEY (id),
  constraint assignments_team_id_name_key UNIQUE (team_id, name),
  constraint assignments_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);

create table audit_events (
  id uuid not null,
  team_id uuid,
  actor_id uuid,
  actor_name text not null,
  on_behalf_of_name text,
  token_id uuid,
  action text not null,
  subject_type text,
  subject_id uuid,
  subject_name text,
  outcome text not null,
  code text,
  request_id text not null,
  occurred_at timestamp with time zone not null,
  constraint audit_events_pkey PRIMARY KEY (id),
  constraint audit_events_outcome_check CHECK (outcome = ANY (ARRAY['SUCCEEDED'::text, 'REFUSED'::text, 'FAILED'::text])),
  constraint audit_events_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
) partition by RANGE (id);
create index audit_events_by_team ON ONLY audit_events USING btree (team_id, id DESC);

create table connection_type_status (
  connection_type_id uuid not null,
  conditions jsonb default '[]'::jsonb not null,
  era text,
  protocol_version text,
  server_name text,
  server_version text,
  tools_source text,
  tools_synced_at timestamp with time zone,
  last_checked_at timestamp with time zone,
  next_check_at timestamp with time zone,
  updated_at timestamp with time zone default now() not null,
  failed_checks integer default 0 not null,
  constraint connection_type_status_pkey PRIMARY KEY (connection_type_id),
  constraint connection_type_status_era_check CHECK (era = ANY (ARRAY['LEGACY'::text, 'MODERN'::text])),
  constraint connection_type_status_tools_source_check CHECK (tools_source = ANY (ARRAY['ANONYMOUS'::text, 'SHARED'::text])),
  constraint connection_type_status_connection_type_id_fkey FOREIGN KEY (connection_type_id) REFERENCES connection_types(id) ON DELETE CASCADE
);
create trigger mirror_type_status_changed AFTER UPDATE ON connection_type_status FOR EACH ROW WHEN (old.conditions IS DISTINCT FROM new.conditions OR old.protocol_version IS DISTINCT FROM new.protocol_version OR old.server_name IS DISTINCT FROM new.server_name OR old.server_version IS DISTINCT FROM new.server_version) EXECUTE FUNCTION mirror_type_status_changed();

create table connection_types (
  id uuid not null,
  team_id uuid not null,
  name text not null,
  spec jsonb not null,
  version integer default 1 not null,
  origin text not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  deleted_at timestamp with time zone,
  constraint connection_types_pkey PRIMARY KEY (id),
  constraint connection_types_team_id_name_key UNIQUE (team_id, name),
  constraint connection_types_name_check CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'::text),
  constraint connection_types_origin_check CHECK (origin = ANY (ARRAY['API'::text, 'MANIFEST'::text])),
  constraint connection_types_spec_check CHECK ((spec ->> 'authMethod'::text) = ANY (ARRAY['NONE'::text, 'ACCESS_TOKEN'::text, 'CUSTOM_HEADERS'::text, 'OAUTH'::text])),
  constraint connection_types_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create trigger mirror_type_changed AFTER INSERT OR DELETE OR UPDATE OF spec, version, name, origin, deleted_at ON connection_types FOR EACH ROW EXECUTE FUNCTION mirror_type_changed();
create trigger origin_kept BEFORE UPDATE OF origin ON connection_types FOR EACH ROW WHEN (old.origin IS DISTINCT FROM new.origin) EXECUTE FUNCTION origin_kept();

create table credentials (
  enrollment_id uuid not null,
  team_id uuid not null,
  kind text not null,
  version integer not null,
  sealed bytea,
  fields jsonb default '[]'::jsonb not null,
  updated_at timestamp with time zone default now() not null,
  constraint credentials_pkey PRIMARY KEY (enrollment_id),
  constraint credentials_check CHECK (kind <> 'NONE'::text OR sealed IS NULL),
  constraint credentials_kind_check CHECK (kind = ANY (ARRAY['NONE'::text, 'ACCESS_TOKEN'::text, 'CUSTOM_HEADERS'::text, 'OAUTH'::text])),
  constraint credentials_enrollment_id_fkey FOREIGN KEY (enrollment_id) REFERENCES enrollments(id) ON DELETE CASCADE,
  constraint credentials_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);

create table enrollment_status (
  enrollment_id uuid not null,
  tools_synced_at timestamp with time zone,
  conditions jsonb default '[]'::jsonb not null,
  updated_at timestamp with time zone default now() not null,
  tried_at timestamp with time zone,
  constraint enrollment_status_pkey PRIMARY KEY (enrollment_id),
  constraint enrollment_status_enrollment_id_fkey FOREIGN KEY (enrollment_id) REFERENCES enrollments(id) ON DELETE CASCADE
);
create trigger mirror_enrollment_status_changed AFTER UPDATE ON enrollment_status FOR EACH ROW WHEN (old.conditions IS DISTINCT FROM new.conditions) EXECUTE FUNCTION mirror_login_changed();

create table enrollments (
  id uuid not null,
  team_id uuid not null,
  connection_type_id uuid not null,
  owner_id uuid not null,
  label text default ''::text not null,
  shared boolean default false not null,
  origin text not null,
  confirmed_target jsonb not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  deleted_at timestamp with time zone,
  constraint enrollments_pkey PRIMARY KEY (id),
  constraint enrollments_connection_type_id_owner_id_label_key UNIQUE (connection_type_id, owner_id, label),
  constraint enrollments_origin_check CHECK (origin = ANY (ARRAY['API'::text, 'MANIFEST'::text])),
  constraint enrollments_connection_type_id_fkey FOREIGN KEY (connection_type_id) REFERENCES connection_types(id) ON DELETE CASCADE,
  constraint enrollments_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES members(id) ON DELETE CASCADE,
  constraint enrollments_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create index enrollments_by_owner ON enrollments USING btree (owner_id);
create index enrollments_by_team ON enrollments USING btree (team_id, id);
create trigger mirror_enrollment_changed AFTER INSERT OR DELETE OR UPDATE OF label, shared, confirmed_target, origin, deleted_at ON enrollments FOR EACH ROW EXECUTE FUNCTION mirror_enrollment_changed();
create trigger origin_kept BEFORE UPDATE OF origin ON enrollments FOR EACH ROW WHEN (old.origin IS DISTINCT FROM new.origin) EXECUTE FUNCTION origin_kept();

create table idempotency_keys (
  scope bytea not null,
  key text not null,
  team_id uuid not null,
  request_hash bytea not null,
  tool_call_id uuid not null,
  expires_at timestamp with time zone not null,
  constraint idempotency_keys_pkey PRIMARY KEY (scope, key),
  constraint idempotency_keys_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create index idempotency_keys_by_expiry ON idempotency_keys USING btree (expires_at);

create table members (
  id uuid not null,
  team_id uuid not null,
  subject text not null,
  local boolean not null,
  display_name text not null,
  role text not null,
  source text not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  email text,
  constraint members_pkey PRIMARY KEY (id),
  constraint members_team_id_local_subject_key UNIQUE (team_id, local, subject),
  constraint members_check CHECK (email IS NULL OR NOT local),
  constraint members_role_check CHECK (role = ANY (ARRAY['MEMBER'::text, 'MANAGER'::text, 'ADMIN'::text])),
  constraint members_source_check CHECK (source = ANY (ARRAY['API'::text, 'CLAIM'::text])),
  constraint members_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create index members_by_email ON members USING btree (team_id, lower(email)) WHERE (email IS NOT NULL);
create index members_by_subject ON members USING btree (local, subject);

create table mirror_namespaces (
  id uuid not null,
  team_id uuid not null,
  namespace text not null,
  cluster_uid text,
  namespace_uid text,
  state text not null,
  message text default ''::text not null,
  held_since timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  constraint mirror_namespaces_pkey PRIMARY KEY (id),
  constraint mirror_namespaces_namespace_key UNIQUE (namespace),
  constraint mirror_namespaces_team_id_key UNIQUE (team_id),
  constraint mirror_namespaces_check CHECK (state <> 'BOUND'::text OR cluster_uid IS NOT NULL AND namespace_uid IS NOT NULL),
  constraint mirror_namespaces_state_check CHECK (state = ANY (ARRAY['WAITING'::text, 'BOUND'::text, 'FROZEN'::text])),
  constraint mirror_namespaces_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);

create table mirror_objects (
  id uuid not null,
  team_id uuid,
  kind text not null,
  namespace text not null,
  name text not null,
  origin text not null,
  state text default 'ACTIVE'::text not null,
  object_uid text,
  subject_id uuid,
  type_name text,
  generation bigint,
  version integer,
  applied_hash text,
  conditions jsonb default '[]'::jsonb not null,
  secret_hash bytea,
  refused_hash bytea,
  secrets_read_at timestamp with time zone,
  secret_failures integer default 0 not null,
  share_asked boolean default false not null,
  share_agreed boolean default false not null,
  lost_type boolean default false not null,
  tombstoned_at timestamp with time zone,
  grace_until timestamp with time zone,
  grace_seconds integer default 0 not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  secret_place text,
  constraint mirror_objects_pkey PRIMARY KEY (id),
  constraint mirror_objects_namespace_kind_name_key UNIQUE (namespace, kind, name),
  constraint mirror_objects_check CHECK ((state = 'TOMBSTONE'::text) = (tombstoned_at IS NOT NULL)),
  constraint mirror_objects_check1 CHECK (state <> 'OFFERED'::text OR origin = 'API'::text),
  constraint mirror_objects_kind_check CHECK (kind = ANY (ARRAY['ConnectionType'::text, 'Enrollment'::text])),
  constraint mirror_objects_origin_check CHECK (origin = ANY (ARRAY['API'::text, 'MANIFEST'::text])),
  constraint mirror_objects_state_check CHECK (state = ANY (ARRAY['ACTIVE'::text, 'TOMBSTONE'::text, 'ORPHANED'::text, 'OFFERED'::text])),
  constraint mirror_objects_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create index mirror_objects_by_subject ON mirror_objects USING btree (subject_id);
create index mirror_objects_by_team ON mirror_objects USING btree (team_id, state);

create table oauth_authorizations (
  id uuid not null,
  team_id uuid not null,
  enrollment_id uuid not null,
  member_id uuid not null,
  state text not null,
  link_hash bytea not null,
  cookie_hash bytea,
  state_hash bytea,
  sealed bytea,
  client_id uuid,
  issuer text,
  scopes text[] default '{}'::text[] not null,
  return_url text,
  message text,
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  constraint oauth_authorizations_pkey PRIMARY KEY (id),
  constraint oauth_authorizations_link_hash_key UNIQUE (link_hash),
  constraint oauth_authorizations_state_hash_key UNIQUE (state_hash),
  constraint oauth_authorizations_check CHECK ((state = ANY (ARRAY['SENT'::text, 'FINISHING'::text])) <= (cookie_hash IS NOT NULL AND state_hash IS NOT NULL AND sealed IS NOT NULL)),
  constraint oauth_authorizations_state_check CHECK (state = ANY (ARRAY['LINKED'::text, 'SENT'::text, 'FINISHING'::text, 'READY'::text, 'DENIED'::text, 'FAILED'::text, 'EXPIRED'::text])),
  constraint oauth_authorizations_client_id_fkey FOREIGN KEY (client_id) REFERENCES oauth_clients(id) ON DELETE CASCADE,
  constraint oauth_authorizations_enrollment_id_fkey FOREIGN KEY (enrollment_id) REFERENCES enrollments(id) ON DELETE CASCADE,
  constraint oauth_authorizations_member_id_fkey FOREIGN KEY (member_id) REFERENCES members(id) ON DELETE CASCADE,
  constraint oauth_authorizations_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create index oauth_authorizations_by_enrollment ON oauth_authorizations USING btree (enrollment_id);
create index oauth_authorizations_by_expiry ON oauth_authorizations USING btree (expires_at) WHERE (state = ANY (ARRAY['LINKED'::text, 'SENT'::text, 'FINISHING'::text]));

create table oauth_clients (
  id uuid not null,
  team_id uuid not null,
  connection_type_id uuid not null,
  issuer text not null,
  redirect_uri text not null,
  method text not null,
  state text not null,
  version integer default 1 not null,
  client_id text,
  token_endpoint_auth_method text,
  sealed bytea,
  client_secret_expires_at timestamp with time zone,
  registration_client_uri text,
  message text,
  attempted_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  token_host text,
  constraint oauth_clients_pkey PRIMARY KEY (id),
  constraint oauth_clients_check CHECK ((state = 'ACTIVE'::text) <= (client_id IS NOT NULL)),
  constraint oauth_clients_method_check CHECK (method = ANY (ARRAY['PREREGISTERED'::text, 'METADATA_DOCUMENT'::text, 'DYNAMIC'::text])),
  constraint oauth_clients_state_check CHECK (state = ANY (ARRAY['PENDING'::text, 'ACTIVE'::text, 'OUTCOME_UNKNOWN'::text, 'REFUSED'::text, 'RETIRED'::text])),
  constraint oauth_clients_connection_type_id_fkey FOREIGN KEY (connection_type_id) REFERENCES connection_types(id) ON DELETE CASCADE,
  constraint oauth_clients_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create unique index oauth_clients_current ON oauth_clients USING btree (connection_type_id) WHERE (state = ANY (ARRAY['PENDING'::text, 'ACTIVE'::text, 'OUTCOME_UNKNOWN'::text, 'REFUSED'::text]));

create table oauth_discoveries (
  connection_type_id uuid not null,
  server_url text not null,
  issuer text not null,
  token_host text not null,
  resource text not null,
  metadata jsonb not null,
  scopes_supported text[] not null,
  challenge_scopes text[] not null,
  fallbacks text[] not null,
  discovered_at timestamp with time zone not null,
  constraint oauth_discoveries_pkey PRIMARY KEY (connection_type_id),
  constraint oauth_discoveries_connection_type_id_fkey FOREIGN KEY (connection_type_id) REFERENCES connection_types(id) ON DELETE CASCADE
);

create table oauth_grants (
  enrollment_id uuid not null,
  team_id uuid not null,
  client_id uuid,
  issuer text,
  scopes text[] default '{}'::text[] not null,
  wanted_scopes text[] default '{}'::text[] not null,
  obtained_at timestamp with time zone,
  expires_at timestamp with time zone,
  refreshable boolean default false not null,
  refresh_at timestamp with time zone,
  last_refresh_at timestamp with time zone,
  failed_refreshes integer default 0 not null,
  next_attempt_at timestamp with time zone,
  attempt_id uuid,
  attempt_version integer,
  attempt_until timestamp with time zone,
  outcome_unknown_at timestamp with time zone,
  updated_at timestamp with time zone default now() not null,
  constraint oauth_grants_pkey PRIMARY KEY (enrollment_id),
  constraint oauth_grants_check CHECK ((attempt_id IS NULL) = (attempt_until IS NULL)),
  constraint oauth_grants_check1 CHECK ((attempt_id IS NULL) = (attempt_version IS NULL)),
  constraint oauth_grants_client_id_fkey FOREIGN KEY (client_id) REFERENCES oauth_clients(id) ON DELETE SET NULL,
  constraint oauth_grants_enrollment_id_fkey FOREIGN KEY (enrollment_id) REFERENCES enrollments(id) ON DELETE CASCADE,
  constraint oauth_grants_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create index oauth_grants_by_client ON oauth_grants USING btree (client_id);
create trigger mirror_grant_changed AFTER UPDATE ON oauth_grants FOR EACH ROW WHEN (old.expires_at IS DISTINCT FROM new.expires_at OR old.refresh_at IS DISTINCT FROM new.refresh_at OR old.last_refresh_at IS DISTINCT FROM new.last_refresh_at OR old.failed_refreshes IS DISTINCT FROM new.failed_refreshes OR old.next_attempt_at IS DISTINCT FROM new.next_attempt_at) EXECUTE FUNCTION mirror_login_changed();

create table oauth_leftovers (
  id uuid not null,
  team_id uuid not null,
  kind text not null,
  subject_name text not null,
  issuer text not null,
  sealed bytea,
  outcome text not null,
  message text default ''::text not null,
  attempts integer default 0 not null,
  next_attempt_at timestamp with time zone,
  give_up_at timestamp with time zone not null,
  created_at timestamp with time zone default now() not null,
  updated_at timestamp with time zone default now() not null,
  constraint oauth_leftovers_pkey PRIMARY KEY (id),
  constraint oauth_leftovers_check CHECK ((outcome = 'PENDING'::text) = (sealed IS NOT NULL)),
  constraint oauth_leftovers_kind_check CHECK (kind = ANY (ARRAY['TOKENS'::text, 'CLIENT'::text])),
  constraint oauth_leftovers_outcome_check CHECK (outcome = ANY (ARRAY['PENDING'::text, 'REVOKED'::text, 'NOT_SUPPORTED'::text, 'ABANDONED'::text])),
  constraint oauth_leftovers_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create index oauth_leftovers_due ON oauth_leftovers USING btree (next_attempt_at) WHERE (outcome = 'PENDING'::text);

create table processes (
  id uuid not null,
  host text not null,
  pid integer not null,
  started_at timestamp with time zone default now() not null,
  heartbeat_at timestamp with time zone default now() not null,
  role text,
  keys text[],
  wraps_with text,
  constraint processes_pkey PRIMARY KEY (id),
  constraint processes_role_check CHECK (role = ANY (ARRAY['API'::text, 'OPERATOR'::text]))
);

create table reconcile_schedule (
  kind text not null,
  id uuid not null,
  lane text default ''::text not null,
  due timestamp with time zone not null,
  urgent boolean default false not null,
  dirty bigint default 1 not null,
  epoch bigint default 0 not null,
  worker uuid,
  claimed_at timestamp with time zone,
  claimed_dirty bigint default 0 not null,
  failures integer default 0 not null,
  constraint reconcile_schedule_pkey PRIMARY KEY (kind, id),
  constraint reconcile_schedule_check CHECK ((worker IS NULL) = (claimed_at IS NULL)),
  constraint reconcile_schedule_kind_check CHECK (kind = ANY (ARRAY['ConnectionType'::text, 'Enrollment'::text, 'MirrorNamespace'::text, 'MirrorObject'::text, 'Tombstone'::text]))
);
create index reconcile_schedule_by_due ON reconcile_schedule USING btree (urgent DESC, due);

create table schema_level (
  needs integer not null
);

create table schema_migrations (
  id integer default nextval('schema_migrations_id_seq'::regclass) not null,
  "timestamp" bigint not null,
  name character varying not null,
  constraint "PK_62441bec32630ced9e4cccae336" PRIMARY KEY (id)
);

create table team_keys (
  team_id uuid not null,
  version integer not null,
  kek_id text not null,
  wrapped bytea not null,
  created_at timestamp with time zone default now() not null,
  constraint team_keys_pkey PRIMARY KEY (team_id, version),
  constraint team_keys_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);

create table teams (
  id uuid not null,
  slug text not null,
  display_name text not null,
  created_at timestamp with time zone default now() not null,
  destructive_tools text default 'ALLOW'::text not null,
  constraint teams_pkey PRIMARY KEY (id),
  constraint teams_slug_key UNIQUE (slug),
  constraint teams_destructive_tools_check CHECK (destructive_tools = ANY (ARRAY['ALLOW'::text, 'REQUIRE_APPROVAL'::text])),
  constraint teams_slug_check CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'::text)
);

create table tokens (
  id uuid not null,
  kind text not null,
  team_id uuid,
  member_id uuid,
  creator_id uuid,
  name text not null,
  prefix text not null,
  hash bytea not null,
  expires_at timestamp with time zone,
  last_used_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  voucher_ids uuid[] default '{}'::uuid[] not null,
  assignment_id uuid,
  on_behalf_of boolean default false not null,
  rate_per_minute integer,
  concurrency integer,
  constraint tokens_pkey PRIMARY KEY (id),
  constraint tokens_hash_key UNIQUE (hash),
  constraint tokens_assignment_check CHECK ((kind = 'ASSIGNMENT'::text) = (assignment_id IS NOT NULL) AND (kind = 'ASSIGNMENT'::text OR NOT on_behalf_of)),
  constraint tokens_check CHECK ((kind = 'INSTALLATION'::text) = (team_id IS NULL)),
  constraint tokens_check2 CHECK ((kind = 'INSTALLATION'::text) = (creator_id IS NULL)),
  constraint tokens_concurrency_check CHECK (concurrency > 0),
  constraint tokens_kind_check CHECK (kind = ANY (ARRAY['INSTALLATION'::text, 'PERSONAL'::text, 'LOCAL_MEMBER'::text, 'ASSIGNMENT'::text])),
  constraint tokens_member_check CHECK ((kind = ANY (ARRAY['INSTALLATION'::text, 'ASSIGNMENT'::text])) = (member_id IS NULL)),
  constraint tokens_rate_per_minute_check CHECK (rate_per_minute > 0),
  constraint tokens_assignment_id_fkey FOREIGN KEY (assignment_id) REFERENCES assignments(id) ON DELETE CASCADE,
  constraint tokens_creator_id_fkey FOREIGN KEY (creator_id) REFERENCES members(id) ON DELETE CASCADE,
  constraint tokens_member_id_fkey FOREIGN KEY (member_id) REFERENCES members(id) ON DELETE CASCADE,
  constraint tokens_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create index tokens_by_assignment ON tokens USING btree (assignment_id);
create index tokens_by_creator ON tokens USING btree (creator_id);
create index tokens_by_member ON tokens USING btree (member_id);

create table tool_call_approvals (
  tool_call_id uuid not null,
  team_id uuid not null,
  state text default 'PENDING'::text not null,
  binding bytea not null,
  enrollment_asked uuid,
  timeout_ms integer,
  expires_at timestamp with time zone not null,
  decided_by_id uuid,
  decided_by_name text,
  decided_at timestamp with time zone,
  comment text,
  constraint tool_call_approvals_pkey PRIMARY KEY (tool_call_id),
  constraint tool_call_approvals_state_check CHECK (state = ANY (ARRAY['PENDING'::text, 'APPROVED'::text, 'DENIED'::text, 'EXPIRED'::text, 'VOIDED'::text])),
  constraint tool_call_approvals_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create index tool_call_approvals_by_team ON tool_call_approvals USING btree (team_id);
create index tool_call_approvals_pending ON tool_call_approvals USING btree (expires_at) WHERE (state = 'PENDING'::text);

create table tool_call_payloads (
  tool_call_id uuid not null,
  team_id uuid not null,
  sealed_arguments bytea,
  sealed_result bytea,
  expires_at timestamp with time zone not null,
  constraint tool_call_payloads_pkey PRIMARY KEY (tool_call_id),
  constraint tool_call_payloads_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create index tool_call_payloads_by_expiry ON tool_call_payloads USING btree (expires_at);

create table tool_calls (
  id uuid not null,
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
  status text not null,
  error jsonb,
  started_at timestamp with time zone not null,
  finished_at timestamp with time zone,
  duration_ms double precision,
  kept boolean not null,
  cancel_requested_at timestamp with time zone,
  assignment_id uuid,
  assignment_name text,
  progress jsonb,
  constraint tool_calls_pkey PRIMARY KEY (id),
  constraint tool_calls_check CHECK ((finished_at IS NULL) = (status = ANY (ARRAY['RUNNING'::text, 'PENDING_APPROVAL'::text]))),
  constraint tool_calls_status_check CHECK (status = ANY (ARRAY['RUNNING'::text, 'SUCCEEDED'::text, 'TOOL_ERROR'::text, 'FAILED'::text, 'CANCELLED'::text, 'OUTCOME_UNKNOWN'::text, 'PENDING_APPROVAL'::text, 'DENIED'::text]))
) partition by RANGE (id);
create index tool_calls_by_assignment ON ONLY tool_calls USING btree (assignment_id, id DESC) WHERE (assignment_id IS NOT NULL);
create index tool_calls_by_team ON ONLY tool_calls USING btree (team_id, id DESC);
create index tool_calls_running ON ONLY tool_calls USING btree (process_id) WHERE (status = 'RUNNING'::text);

create table tools (
  id uuid not null,
  team_id uuid not null,
  connection_type_id uuid not null,
  enrollment_id uuid,
  scope_id uuid not null,
  name text not null,
  definition text not null,
  definition_hash text not null,
  accepted_hash text not null,
  change jsonb,
  removed_at timestamp with time zone,
  created_at timestamp with time zone default now() not null,
  constraint tools_pkey PRIMARY KEY (id),
  constraint tools_scope_id_name_key UNIQUE (scope_id, name),
  constraint tools_check CHECK (scope_id = COALESCE(enrollment_id, connection_type_id)),
  constraint tools_connection_type_id_fkey FOREIGN KEY (connection_type_id) REFERENCES connection_types(id) ON DELETE CASCADE,
  constraint tools_enrollment_id_fkey FOREIGN KEY (enrollment_id) REFERENCES enrollments(id) ON DELETE CASCADE,
  constraint tools_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE
);
create index tools_by_enrollment ON tools USING btree (enrollment_id);
create index tools_by_type ON tools USING btree (connection_type_id);

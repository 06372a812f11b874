import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Assignments with their slots, pins and tokens, approvals, and the progress of calls. Expands only. A program without it refuses the tokens of
 * assignments, since they have no member that it knows of, and leaves calls that wait for approval alone.
 */
export class Assignments1795380000006 implements MigrationInterface {
  readonly name = 'Assignments1795380000006';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SQL);
  }

  async down(): Promise<void> {
    throw new Error('Fairlead migrates forwards only: restore a backup to go back.');
  }
}

const SQL = `
create table assignments (
  id uuid primary key,
  team_id uuid not null references teams on delete cascade,
  name text not null,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (team_id, name)
);

create table assignment_slots (
  assignment_id uuid not null references assignments on delete cascade,
  connection_type_id uuid not null references connection_types on delete cascade,
  position integer not null,
  allowed_tools text[] check (cardinality(allowed_tools) > 0),
  require_approval text[] not null default '{}',
  primary key (assignment_id, connection_type_id)
);
create index assignment_slots_by_type on assignment_slots (connection_type_id);

-- Without a member: for everybody, which only a shared enrollment can be.
create table assignment_pins (
  assignment_id uuid not null,
  connection_type_id uuid not null,
  member_id uuid references members on delete cascade,
  enrollment_id uuid not null references enrollments on delete cascade,
  foreign key (assignment_id, connection_type_id) references assignment_slots on delete cascade,
  unique nulls not distinct (assignment_id, connection_type_id, member_id)
);
create index assignment_pins_by_member on assignment_pins (member_id);
create index assignment_pins_by_enrollment on assignment_pins (enrollment_id);

alter table tokens drop constraint tokens_kind_check;
alter table tokens add constraint tokens_kind_check check (kind in ('INSTALLATION', 'PERSONAL', 'LOCAL_MEMBER', 'ASSIGNMENT'));
alter table tokens drop constraint tokens_check1;
alter table tokens add constraint tokens_member_check check ((kind in ('INSTALLATION', 'ASSIGNMENT')) = (member_id is null));
alter table tokens add column assignment_id uuid references assignments on delete cascade;
alter table tokens add column on_behalf_of boolean not null default false;
alter table tokens add column rate_per_minute integer check (rate_per_minute > 0);
alter table tokens add column concurrency integer check (concurrency > 0);
alter table tokens add constraint tokens_assignment_check check ((kind = 'ASSIGNMENT') = (assignment_id is not null) and (kind = 'ASSIGNMENT' or not on_behalf_of));
create index tokens_by_assignment on tokens (assignment_id);

alter table teams add column destructive_tools text not null default 'ALLOW' check (destructive_tools in ('ALLOW', 'REQUIRE_APPROVAL'));

alter table tool_calls add column assignment_id uuid;
alter table tool_calls add column assignment_name text;
alter table tool_calls add column progress jsonb;
create index tool_calls_by_assignment on tool_calls (assignment_id, id desc) where assignment_id is not null;

-- As for calls: no foreign key to the record, which may be deleted by age on its own.
create table tool_call_approvals (
  tool_call_id uuid primary key,
  team_id uuid not null references teams on delete cascade,
  state text not null default 'PENDING' check (state in ('PENDING', 'APPROVED', 'DENIED', 'EXPIRED', 'VOIDED')),
  binding bytea not null,
  enrollment_asked uuid,
  timeout_ms integer,
  expires_at timestamptz not null,
  decided_by_id uuid,
  decided_by_name text,
  decided_at timestamptz,
  comment text
);
create index tool_call_approvals_pending on tool_call_approvals (expires_at) where state = 'PENDING';
create index tool_call_approvals_by_team on tool_call_approvals (team_id);
`;

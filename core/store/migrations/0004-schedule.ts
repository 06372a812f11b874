import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The schedule of the operator, and what its health checks and trials remember. Expands only: what a program without it makes is found by
 * `Schedule.adopt`, and its status rows have the defaults.
 */
export class Schedule1795380000004 implements MigrationInterface {
  readonly name = 'Schedule1795380000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SQL);
  }

  async down(): Promise<void> {
    throw new Error('Fairlead migrates forwards only: restore a backup to go back.');
  }
}

const SQL = `
create table reconcile_schedule (
  kind text not null check (kind in ('ConnectionType', 'Enrollment')),
  id uuid not null,
  lane text not null default '',
  due timestamptz not null,
  urgent boolean not null default false,
  dirty bigint not null default 1,
  epoch bigint not null default 0,
  worker uuid,
  claimed_at timestamptz,
  claimed_dirty bigint not null default 0,
  failures integer not null default 0,
  primary key (kind, id),
  check ((worker is null) = (claimed_at is null))
);
create index reconcile_schedule_by_due on reconcile_schedule (urgent desc, due);

alter table connection_type_status add column failed_checks integer not null default 0;
alter table enrollment_status add column tried_at timestamptz;
`;

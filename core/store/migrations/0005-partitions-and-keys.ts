import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Records of calls and the audit trail in time partitions (docs/adr/0018), and what processes say of their key rings (docs/adr/0017). Expands only: a program without it
 * writes to the same names with the same statements, and its processes say nothing of keys.
 */
export class PartitionsAndKeys1795380000005 implements MigrationInterface {
  readonly name = 'PartitionsAndKeys1795380000005';

  async up(runner: QueryRunner): Promise<void> {
    // Whoever has many records waits for one scan of them; none is copied.
    await runner.query('set local statement_timeout = 0');
    await runner.query(SQL);
  }

  async down(): Promise<void> {
    throw new Error('Fairlead migrates forwards only: restore a backup to go back.');
  }
}

/**
 * What was there becomes the first partition, up to a bound that is yet to come; without rows it goes. Bounds are version 7 UUIDs that hold the time alone.
 * @param days of one partition, counted from 1970, as in `core/store/partitions.ts`
 */
const attachBefore = (table: string, days: number) => `
do $$
declare
  bound_ms bigint := (floor((extract(epoch from now()) + 86400) / (86400 * ${days})) + 1) * 86400000 * ${days};
  bound uuid := (lpad(to_hex(bound_ms), 12, '0') || repeat('0', 20))::uuid;
begin
  if not exists (select from ${table}_before) then
    drop table ${table}_before;
    return;
  end if;
  with beyond as (delete from ${table}_before where id >= bound returning *) insert into ${table}_default select * from beyond;
  execute format('alter table ${table} attach partition ${table}_before for values from (minvalue) to (%L)', bound);
end $$;`;

const SQL = `
alter table processes add column role text check (role in ('API', 'OPERATOR'));
alter table processes add column keys text[];
alter table processes add column wraps_with text;

alter table tool_calls rename to tool_calls_before;
alter table tool_calls_before rename constraint tool_calls_pkey to tool_calls_before_pkey;
alter index tool_calls_by_team rename to tool_calls_before_by_team;
alter index tool_calls_running rename to tool_calls_before_running;
create table tool_calls (like tool_calls_before including defaults including constraints, primary key (id)) partition by range (id);
create table tool_calls_default partition of tool_calls default;
create index tool_calls_by_team on tool_calls (team_id, id desc);
create index tool_calls_running on tool_calls (process_id) where status = 'RUNNING';
${attachBefore('tool_calls', 7)}

alter table audit_events rename to audit_events_before;
alter table audit_events_before rename constraint audit_events_pkey to audit_events_before_pkey;
alter index audit_events_by_team rename to audit_events_before_by_team;
create table audit_events (
  like audit_events_before including defaults including constraints, primary key (id),
  constraint audit_events_team_id_fkey foreign key (team_id) references teams on delete cascade
) partition by range (id);
create table audit_events_default partition of audit_events default;
create index audit_events_by_team on audit_events (team_id, id desc);
${attachBefore('audit_events', 28)}
`;

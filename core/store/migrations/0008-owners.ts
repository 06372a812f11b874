import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Whose things are: the mail address that the issuer verified of a person, by which manifests may name them; and an object's origin, which only an adoption changes (design section 8, "one
 * owner"). A program without it runs on, but for adoptions, which it leaves to the others.
 */
export class Owners1795380000008 implements MigrationInterface {
  readonly name = 'Owners1795380000008';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SQL);
  }

  async down(): Promise<void> {
    throw new Error('Fairlead migrates forwards only: restore a backup to go back.');
  }
}

const SQL = `
alter table members add column email text check (email is null or not local);
create index members_by_email on members (team_id, lower(email)) where email is not null;

create function origin_kept() returns trigger language plpgsql as $$
begin
  if current_setting('fairlead.adopts', true) is distinct from new.id::text then
    raise exception 'the origin of % is immutable but for its adoption', new.id using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger origin_kept before update of origin on connection_types for each row when (old.origin is distinct from new.origin) execute function origin_kept();
create trigger origin_kept before update of origin on enrollments for each row when (old.origin is distinct from new.origin) execute function origin_kept();
`;

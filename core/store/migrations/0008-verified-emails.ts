import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The mail address that the issuer verified of a person, by which manifests may name them. Expands only: a program without it neither reads nor writes it. */
export class VerifiedEmails1795380000008 implements MigrationInterface {
  readonly name = 'VerifiedEmails1795380000008';

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
`;

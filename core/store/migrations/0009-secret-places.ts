import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Who a manifest's client secret went to, so that it goes to nobody else because a server says so; and that credentials from Secrets are shared when their manifests say so, which is agreed from
 * the beginning now. A program without it runs on, and notes nothing.
 */
export class SecretPlaces1795380000009 implements MigrationInterface {
  readonly name = 'SecretPlaces1795380000009';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SQL);
  }

  async down(): Promise<void> {
    throw new Error('Fairlead migrates forwards only: restore a backup to go back.');
  }
}

const SQL = `
alter table mirror_objects add column secret_place text;
update mirror_objects m set share_agreed = true from credentials c where c.enrollment_id = m.subject_id and c.kind <> 'OAUTH' and m.origin = 'MANIFEST';
`;

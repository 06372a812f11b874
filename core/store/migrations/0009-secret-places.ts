import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who a manifest's client secret went to, so that it goes to nobody else because a server says so. A program without it runs on, and notes nothing. */
export class SecretPlaces1795380000009 implements MigrationInterface {
  readonly name = 'SecretPlaces1795380000009';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table mirror_objects add column secret_place text');
  }

  async down(): Promise<void> {
    throw new Error('Fairlead migrates forwards only: restore a backup to go back.');
  }
}

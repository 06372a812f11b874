import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who stands behind a token that was made with another token. Expands only: a program without it makes tokens that have none. */
export class TokenVouchers1795380000003 implements MigrationInterface {
  readonly name = 'TokenVouchers1795380000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table tokens add column voucher_ids uuid[] not null default '{}'`);
  }

  async down(): Promise<void> {
    throw new Error('Fairlead migrates forwards only: restore a backup to go back.');
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Where an OAuth client's issuer had its token endpoint when the client was recorded, so that nothing that was issued to it goes to another host because the issuer names one. Of clients that are in use that is
 * what is on record; of those that are out of use nobody knows. A program without it runs on, and notes nothing.
 */
export class ClientPlaces1795380000010 implements MigrationInterface {
  readonly name = 'ClientPlaces1795380000010';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SQL);
  }

  async down(): Promise<void> {
    throw new Error('Fairlead migrates forwards only: restore a backup to go back.');
  }
}

const SQL = `
alter table oauth_clients add column token_host text;
update oauth_clients c set token_host = d.token_host from oauth_discoveries d where d.connection_type_id = c.connection_type_id and d.issuer = c.issuer and c.state <> 'RETIRED';
`;

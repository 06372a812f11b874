import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool, type ClientConfig } from 'pg';
import { WatchedClient } from '#core/store/watched-client.js';
import { openDatabaseNetwork, type DatabaseNetwork } from '#test/support/database-network.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';

/** Longer than any answer takes, on a slow machine too. */
const SILENT_MS = 2000;
class Impatient extends WatchedClient {
  constructor(config: ClientConfig) {
    super(config, SILENT_MS);
  }
}

let database: TestDatabase;
let network: DatabaseNetwork;
let pool: Pool;

beforeEach(async () => {
  database = await createDatabase();
  network = await openDatabaseNetwork(database.url);
  pool = new Pool({ connectionString: network.url, max: 1, Client: Impatient as unknown as new () => WatchedClient });
  pool.on('error', () => undefined);
});
afterEach(async () => {
  await pool.end();
  await network.close();
  await database.drop();
});

const backend = async () => (await pool.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid;

describe('a connection to a database', () => {
  it('breaks when it is asked and says nothing any more, and the next one works', async () => {
    const before = await backend();
    network.swallows = true;
    await expect(pool.query('select 1')).rejects.toThrow(/silent/);
    network.swallows = false;
    expect(await backend()).not.toBe(before);
  });

  it('may be silent for as long as it likes while nothing is asked', async () => {
    const before = await backend();
    await delay(1.5 * SILENT_MS);
    expect(await backend()).toBe(before);
  });
});

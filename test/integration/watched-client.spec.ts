import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool, type ClientConfig } from 'pg';
import { WatchedClient } from '#core/store/watched-client.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';

/** A network between us and PostgreSQL that can swallow everything without a word, as when a machine dies. */

/** Longer than any answer takes, on a slow machine too. */
const SILENT_MS = 2000;
class Impatient extends WatchedClient {
  constructor(config: ClientConfig) {
    super(config, SILENT_MS);
  }
}

let database: TestDatabase;
let network: Server;
let pool: Pool;
let swallows: boolean;
const ends = new Set<Socket>();

beforeEach(async () => {
  database = await createDatabase();
  const { hostname, port } = new URL(database.url);
  swallows = false;
  network = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [[near, far], [far, near]] as const) {
      ends.add(from);
      from.on('data', (data) => { if (!swallows) to.write(data); }).on('error', () => undefined);
      from.on('close', () => void to.destroy());
    }
  });
  await new Promise<void>((resolve) => network.listen(0, '127.0.0.1', resolve));
  const url = new URL(database.url);
  url.host = `127.0.0.1:${(network.address() as AddressInfo).port}`;
  pool = new Pool({ connectionString: url.href, max: 1, Client: Impatient as unknown as new () => WatchedClient });
  pool.on('error', () => undefined);
});
afterEach(async () => {
  await pool.end();
  for (const end of ends) end.destroy();
  await new Promise((resolve) => network.close(resolve));
  await database.drop();
});

const backend = async () => (await pool.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid;

describe('a connection to a database', () => {
  it('breaks when it is asked and says nothing any more, and the next one works', async () => {
    const before = await backend();
    swallows = true;
    await expect(pool.query('select 1')).rejects.toThrow(/silent/);
    swallows = false;
    expect(await backend()).not.toBe(before);
  });

  it('may be silent for as long as it likes while nothing is asked', async () => {
    const before = await backend();
    await delay(1.5 * SILENT_MS);
    expect(await backend()).toBe(before);
  });
});

import { mkdir, realpath, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Logger } from '#core/log.js';
import { accountFacts, chooseAccount } from './account.js';
import { locateNativeFolder, prepareBinaries } from './binaries.js';
import { CLUSTER_NAME, openCluster } from './cluster.js';
import { clearLeftover } from './leftover.js';
import { PostgresServer, type ServerOptions } from './server.js';
import { fileFault, StartFault, USE_OWN_SERVER } from './start-fault.js';

/** What {@link startEmbeddedPostgres} needs. */
export interface EmbeddedOptions {
  /** A private folder of ours: data, libraries' links and log go into it. The caller holds its {@link DirectoryLock} or one above it. */
  directory: string;
  logger: Logger;
  /** Where `unshare` and `setpriv` are looked for, as in `PATH`. */
  searchPath: string;
  /** False switches off every flush to disk: faster, and a crash of the machine destroys the data. Right for tests only. */
  durable: boolean;
}

/** A running embedded server. */
export interface EmbeddedPostgres {
  /** Connection URL of the database `fairlead`, with its password. */
  url: string;
  port: number;
  /** Settles when the server process is gone, whether through {@link stop} or by itself. */
  ended: Promise<void>;
  /** Stops it cleanly; calling it again does nothing more. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL 18 in `directory` on a free port of 127.0.0.1, and creates the database on the first start. A server that an earlier run left behind is stopped first.
 * The server outlives us if we are killed: whatever was committed is there at the next start.
 * @throws StartFault with what to do about it
 */
export async function startEmbeddedPostgres({ directory, logger, searchPath, durable }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileFault(error, directory);
  }
  const home = await realpath(directory);
  const account = await chooseAccount(await accountFacts(searchPath));
  const binaries = await prepareBinaries(locateNativeFolder(), join(home, 'lib'), searchPath).catch((error: unknown) => { throw fileFault(error, home); });
  const leftover = await clearLeftover(join(home, 'data'), logger);
  const { dataFolder, password } = await openCluster(home, binaries, account, durable).catch((error: unknown) => explain(error, home));
  const server = await startPatiently({ dataFolder, logFile: join(home, 'server.log'), binaries, account, durable }, leftover)
    .catch((error: unknown) => explain(error, home));
  const url = (database: string) => `postgres://${CLUSTER_NAME}:${password}@127.0.0.1:${server.port}/${database}`;
  try {
    await ensureDatabase(url('postgres'));
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { url: url(CLUSTER_NAME), port: server.port, ended: server.whenEnded(), stop: () => server.stop() };
}

/** Another program may take the port in between; and the sessions of a killed server hold its memory for a moment longer. */
async function startPatiently(options: ServerOptions, leftover: boolean): Promise<PostgresServer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await PostgresServer.start(options);
    } catch (error) {
      if (!(error instanceof StartFault) || attempt >= (leftover ? 20 : 3)) throw error;
      await sleep(250);
    }
  }
}

const LITTLE_SPACE = 64 * 1024 * 1024;

/** A full disk shows in PostgreSQL's words as many different errors: look at the disk itself. */
async function explain(error: unknown, directory: string): Promise<never> {
  const disk = await statfs(directory).catch(() => null);
  const free = disk === null ? Infinity : disk.bavail * disk.bsize;
  if (free > LITTLE_SPACE || !(error instanceof StartFault) || error.code !== 'FAILED') throw error;
  throw new StartFault('NO_SPACE', `The disk of ${directory} is full (${Math.floor(free / 1024 / 1024)} MiB free). Free some space, then start again. ${USE_OWN_SERVER}`,
    { cause: error });
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [CLUSTER_NAME]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${CLUSTER_NAME}`);
  } finally {
    await client.end();
  }
}

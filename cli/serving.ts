import type { Registry } from 'prom-client';
import type { Config } from '#core/config/config.js';
import type { Logger } from '#core/log.js';
import { checkServer } from '#core/postgres/check-server.js';
import { checkSchema, migrate } from '#core/store/migrate.js';
import type { LiveKeyRing } from '#core/vault/live-key-ring.js';
import type { AdminTokenFile } from './admin-token-file.js';

/** What an API is started on. */
export interface ApiResources {
  /** A database that answers and, unless configuration says otherwise, is migrated. */
  databaseUrl: string;
  keyRing: LiveKeyRing;
  logger: Logger;
  /** Where the local administrator's token is kept: `fairlead dev` only, elsewhere there is no such administrator. */
  adminToken: AdminTokenFile | null;
  /** Ports of other processes of ours on this machine, which no connection type may reach. */
  ownPorts?: readonly number[];
}

/** An API that takes requests. */
export interface RunningApi {
  /** The public URL. */
  url: string;
  metrics: Registry;
  /** Ports that it listens on. */
  ownPorts: readonly number[];
  /** Finishes or hands back what it holds, within `config.shutdownTimeoutMs`, and closes everything. */
  stop(): Promise<void>;
}

/** The composition root of the API: resolves when it takes requests. */
export type StartApi = (config: Config, resources: ApiResources) => Promise<RunningApi>;

/** What an operator is started on. */
export interface OperatorResources {
  databaseUrl: string;
  keyRing: LiveKeyRing;
  logger: Logger;
  /** Where people reach this installation. */
  publicUrl: string;
  /** The API's, where both run in one process. */
  metrics: Registry | null;
  /** Of the API in this process. */
  ownPorts: readonly number[];
  /** Writes a line for people. */
  print?: (line: string) => void;
}

/** The composition root of the operator: resolves when it works. */
export type StartOperator = (config: Config, resources: OperatorResources) => Promise<{ stop(): Promise<void> }>;

/** What the commands that serve are given. */
export interface ServingTools {
  startApi: StartApi;
  startOperator: StartOperator;
  logger: Logger;
  /** Writes one line for people to stdout. */
  print: (line: string) => void;
  /** Aborted when it's time to stop. */
  stop: AbortSignal;
  now: () => Date;
}

/**
 * Checks and migrates the database, starts what serves, calls `ready`, and serves until it's time to stop, or until `databaseEnded` settles.
 * @returns after a clean stop
 */
export async function serve<R extends { stop(): Promise<void> }>(
  config: Config, databaseUrl: string, tools: ServingTools, start: () => Promise<R>, ready: (running: R) => void, databaseEnded?: Promise<void>,
): Promise<void> {
  const { logger, stop } = tools;
  for (const warning of config.warnings) logger.warn(warning);
  await checkServer(databaseUrl);
  if (config.migrateOnStart) {
    const migrations = await migrate(databaseUrl);
    if (migrations.length > 0) logger.info({ migrations }, 'database migrated');
  } else {
    await checkSchema(databaseUrl);
  }
  if (stop.aborted) return;
  // Node would end the process, and with it everybody's calls, for one promise that a library forgot (graphql-js forgets the siblings of a list item that throws).
  const forgotten = (error: unknown): void => logger.error({ err: error }, 'a promise that nobody waits for was rejected');
  process.on('unhandledRejection', forgotten);
  const running = await start();
  try {
    if (stop.aborted) return;
    ready(running);
    await Promise.race([aborted(stop), ...(databaseEnded === undefined ? [] : [databaseEnded])]);
    if (!stop.aborted) logger.fatal('the embedded PostgreSQL ended by itself');
  } finally {
    await running.stop();
    process.off('unhandledRejection', forgotten);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

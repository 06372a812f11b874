import { join } from 'node:path';
import type { Config } from '#core/config/config.js';
import { DirectoryLock } from '#core/postgres/directory-lock.js';
import { startEmbeddedPostgres } from '#core/postgres/embedded.js';
import { StartFault } from '#core/postgres/start-fault.js';
import { AdminTokenFile } from './admin-token-file.js';
import { localKeyRing } from './key-ring.js';
import { serve, type ApiResources, type RunningApi, type ServingTools } from './serving.js';

/**
 * `fairlead dev`: everything in one process on one state directory (database, key ring, administrator's token), until it's time to stop.
 * @throws StartFault, VaultError, SchemaTooNew
 */
export async function runDev(config: Config, tools: ServingTools): Promise<void> {
  const { stateDir, databaseUrl } = config;
  const lock = await DirectoryLock.acquire(stateDir, tools.now);
  try {
    // Before the database: who has data without keys has lost them, and is told so below.
    const keyRing = await localKeyRing(config);
    const adminToken = new AdminTokenFile(stateDir);
    const ready = (api: RunningApi) => announce(config, api, adminToken, tools.print);
    const start = (url: string) => startBoth(config, { databaseUrl: url, keyRing, adminToken, logger: tools.logger }, tools);
    if (databaseUrl !== null) return await serve(config, databaseUrl, tools, () => start(databaseUrl), ready);

    const postgres = await startEmbeddedPostgres({ directory: join(stateDir, 'postgres'), logger: tools.logger, searchPath: config.searchPath, durable: true });
    try {
      await serve(config, postgres.url, tools, () => start(postgres.url), ready, postgres.ended);
    } finally {
      await postgres.stop();
    }
    if (!tools.stop.aborted) throw new StartFault('FAILED', `The embedded PostgreSQL ended by itself; ${join(stateDir, 'postgres', 'server.log')} says why. Start again: nothing that was committed is lost.`);
  } finally {
    lock.release();
  }
}

/** API and operator in one process: the operator begins when the API takes requests. */
async function startBoth(config: Config, resources: ApiResources, { startApi, startOperator }: ServingTools): Promise<RunningApi> {
  const api = await startApi(config, resources);
  const { databaseUrl, keyRing, logger } = resources;
  try {
    const operator = await startOperator(config, { databaseUrl, keyRing, logger, publicUrl: api.url, metrics: api.metrics, ownPorts: api.ownPorts });
    return {
      ...api,
      async stop() {
        await Promise.all([operator.stop(), api.stop()]);
      },
    };
  } catch (error) {
    await api.stop();
    throw error;
  }
}

/** One line holds the URL; scripts wait for it. */
function announce(config: Config, api: RunningApi, adminToken: AdminTokenFile, print: (line: string) => void): void {
  print(`Fairlead is ready at ${api.url}`);
  print(`  The administrator's token is in ${adminToken.path}; the team is "default".`);
  print(config.localMode
    ? '  Local mode: connection types may use MCP servers on this machine, over plain HTTP too.'
    : `  HOST is ${config.host}, so this is not local mode: MCP servers on this machine are refused unless FAIRLEAD_EGRESS_ALLOW names them.`);
}

import { join } from 'node:path';
import type { Config } from '#core/config/config.js';
import { DirectoryLock } from '#core/postgres/directory-lock.js';
import { startEmbeddedPostgres } from '#core/postgres/embedded.js';
import { StartFault } from '#core/postgres/start-fault.js';
import { AdminTokenFile } from './admin-token-file.js';
import { bindTeam, TRIAL_NAMESPACE } from './control-plane/bind-team.js';
import type { TrialCluster } from './control-plane/trial-cluster.js';
import { localKeyRing } from './key-ring.js';
import type { Settings } from './program.js';
import { serve, type ApiResources, type RunningApi, type ServingTools } from './serving.js';

/** A control plane of Kubernetes beside everything else. */
export interface KubernetesTrial {
  /** Says which one, and where what is built is kept: `KUBEBUILDER_ASSETS`, `XDG_CACHE_HOME`. */
  env: Readonly<Record<string, string | undefined>>;
}

/**
 * `fairlead dev`: everything in one process on one state directory (database, key ring, administrator's token), until it's time to stop.
 * @throws StartFault, VaultError, SchemaTooNew
 */
export async function runDev(config: Config, tools: ServingTools, kubernetes: KubernetesTrial | null = null): Promise<void> {
  const { stateDir } = config;
  const lock = await DirectoryLock.acquire(stateDir, tools.now);
  try {
    if (kubernetes === null) return await runAll(config, tools, null);
    const { startTrialCluster } = await import('./control-plane/trial-cluster.js');
    const cluster = await startTrialCluster({ directory: kubernetesFolder(config), env: kubernetes.env, say: tools.print, now: tools.now, signal: tools.stop });
    void cluster.ended.then(() => { if (!tools.stop.aborted) tools.logger.error('the Kubernetes control plane ended by itself: start again to have it back, nothing that it acknowledged is lost'); });
    try {
      await runAll(config, tools, cluster);
    } finally {
      await cluster.stop();
    }
  } finally {
    lock.release();
  }
}

async function runAll(config: Config, tools: ServingTools, cluster: TrialCluster | null): Promise<void> {
  const { stateDir, databaseUrl } = config;
  // Before the database: who has data without keys has lost them, and is told so below.
  const keyRing = await localKeyRing(config);
  const adminToken = new AdminTokenFile(stateDir);
  const ready = (api: RunningApi) => announce(config, api, adminToken, cluster, tools.print);
  const start = async (url: string): Promise<RunningApi> => {
    const running = await startBoth(config, { databaseUrl: url, keyRing, adminToken, logger: tools.logger, ownPorts: cluster === null ? [] : [cluster.port] }, tools);
    if (cluster !== null) await bindTrialTeam(running, adminToken);
    return running;
  };
  if (databaseUrl !== null) return await serve(config, databaseUrl, tools, () => start(databaseUrl), ready);

  const postgres = await startEmbeddedPostgres({ directory: join(stateDir, 'postgres'), logger: tools.logger, searchPath: config.searchPath, durable: true });
  try {
    await serve(config, postgres.url, tools, () => start(postgres.url), ready, postgres.ended);
  } finally {
    await postgres.stop();
  }
  if (!tools.stop.aborted) throw new StartFault('FAILED', `The embedded PostgreSQL ended by itself; ${join(stateDir, 'postgres', 'server.log')} says why. Start again: nothing that was committed is lost.`);
}

/** API and operator in one process: the operator begins when the API takes requests. */
async function startBoth(config: Config, resources: ApiResources, tools: ServingTools): Promise<RunningApi> {
  const { startApi, startOperator } = tools;
  const api = await startApi(config, resources);
  const { databaseUrl, keyRing, logger } = resources;
  try {
    const operator = await startOperator(config, { databaseUrl, keyRing, logger, publicUrl: api.url, metrics: api.metrics, ownPorts: [...api.ownPorts, ...resources.ownPorts ?? []], print: tools.print });
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
function announce(config: Config, api: RunningApi, adminToken: AdminTokenFile, cluster: TrialCluster | null, print: (line: string) => void): void {
  print(`Fairlead is ready at ${api.url}`);
  print(`  The administrator's token is in ${adminToken.path}; the team is "default".`);
  print(config.localMode
    ? '  Local mode: connection types may use MCP servers on this machine, over plain HTTP too.'
    : `  HOST is ${config.host}, so this is not local mode: MCP servers on this machine are refused unless FAIRLEAD_EGRESS_ALLOW names them.`);
  if (cluster === null) return;
  print('  Kubernetes: the namespace "default" is the team\'s, and mirrored. In another terminal:');
  print(`    export KUBECONFIG=${shellWord(cluster.kubeconfig)}`);
  print('    kubectl get connectiontypes,enrollments');
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Where the control plane of `--kubernetes` lives. */
function kubernetesFolder({ stateDir }: Pick<Config, 'stateDir'>): string {
  return join(stateDir, 'kubernetes');
}

/** The settings by which the operator mirrors the control plane of `--kubernetes`. */
export function kubernetesSettings(config: Pick<Config, 'stateDir'>): Settings {
  return { FAIRLEAD_MIRROR: 'on', FAIRLEAD_KUBECONFIG: join(kubernetesFolder(config), 'kubeconfig-operator'), FAIRLEAD_LEASE_NAMESPACE: 'default' };
}

async function bindTrialTeam(running: RunningApi, adminToken: AdminTokenFile): Promise<void> {
  try {
    await bindTeam(running.url, adminToken, TRIAL_NAMESPACE);
  } catch (error) {
    await running.stop();
    throw error;
  }
}

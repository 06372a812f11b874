import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';
import { StartFault } from '#core/postgres/start-fault.js';
import { ClusterAccess } from '#operator/kubernetes/cluster-access.js';
import { KubeClient } from '#operator/kubernetes/kube-client.js';
import { isKubeFault } from '#operator/kubernetes/kube-fault.js';
import { PACKAGE_ROOT } from '../package-root.js';
import { TRIAL_NAMESPACE } from './bind-team.js';
import { chooseControlPlane, controlPlaneCache, startControlPlane, type ControlPlane } from './control-plane.js';

/** What {@link startTrialCluster} needs. */
export interface TrialClusterOptions {
  /** A private folder of ours; the cluster's objects live in it from start to start. */
  directory: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Takes lines for people: the first build takes minutes. */
  say: (line: string) => void;
  now: () => Date;
  signal: AbortSignal;
}

/** A control plane with our CRDs, for trying things out with `kubectl` and no cluster. */
export interface TrialCluster {
  /** For people: an administrator's. */
  kubeconfig: string;
  /** For the operator. */
  operatorKubeconfig: string;
  /** The API server's port. */
  port: number;
  /** Settles when it is gone, however it went. */
  ended: Promise<void>;
  stop(): Promise<void>;
}

const CRDS = join(PACKAGE_ROOT, 'schema', 'crds');

/** Starts it, applies the CRDs, and labels the namespace `default` as that of the team `default`. Throws StartFault. */
export async function startTrialCluster({ directory, env, say, now, signal }: TrialClusterOptions): Promise<TrialCluster> {
  const choice = await chooseControlPlane(env);
  if (choice.kind === 'none') throw new StartFault('FAILED', `--kubernetes: ${choice.reason} Without --kubernetes everything else works.`);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const options = { directory, durable: true, logFile: join(directory, 'server.log') };
  const plane = await startControlPlane(choice, options, { cacheFolder: controlPlaneCache(env), say, now, signal });
  try {
    const operatorKubeconfig = join(directory, 'kubeconfig-operator');
    await writeFile(operatorKubeconfig, (await readFile(plane.kubeconfig, 'utf8')).replace(/^current-context: .*$/m, 'current-context: operator'), { mode: 0o600 });
    await furnish(plane);
    return { kubeconfig: plane.kubeconfig, operatorKubeconfig, port: Number(new URL(plane.url).port), ended: plane.ended, stop: () => plane.stop() };
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

async function furnish(plane: ControlPlane): Promise<void> {
  const access = await ClusterAccess.load({ file: plane.kubeconfig });
  const client = new KubeClient({ access, userAgent: 'fairlead-dev' });
  const apply = (path: string, body: unknown) => client.send({ method: 'PATCH', path, query: { fieldManager: 'fairlead-dev', force: 'true' }, body, contentType: 'application/apply-patch+yaml' });
  try {
    for (const file of (await readdir(CRDS)).filter((name) => name.endsWith('.yaml')).sort()) {
      const crd = parse(await readFile(join(CRDS, file), 'utf8')) as { metadata: { name: string }; spec: { group: string; names: { plural: string }; versions: { name: string }[] } };
      await apply(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`, crd);
      await served(client, `/apis/${crd.spec.group}/${crd.spec.versions[0]!.name}/${crd.spec.names.plural}`);
    }
    await apply(`/api/v1/namespaces/${TRIAL_NAMESPACE}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: TRIAL_NAMESPACE, labels: { 'fairlead.dev/team': 'default' } } });
  } finally {
    await access.close();
  }
}

/** A new CRD is served a moment after it was accepted. */
async function served(client: KubeClient, path: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      return void (await client.send({ method: 'GET', path, query: { limit: '1' } }));
    } catch (error) {
      if (tries >= 100 || !isKubeFault(error, 'NOT_FOUND', 'BUSY')) throw error;
      await delay(100);
    }
  }
}

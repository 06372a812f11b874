import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { createLogger } from '#core/log.js';
import { ClusterAccess } from '#operator/kubernetes/cluster-access.js';
import { KubeClient } from '#operator/kubernetes/kube-client.js';
import { Reflector } from '#operator/kubernetes/reflector.js';
import { MIRRORED_KINDS, RESOURCES, type CustomResource, type MirroredKind } from '#operator/manifest/resources.js';
import { collectionOf } from '#operator/mirror/cluster.js';
import { startPlane, type TestPlane } from '#test/support/control-plane/plane.js';
import { until } from '#test/support/mcp-servers/until.js';
import { NAMESPACE } from './manifests.js';

// eslint-disable-next-line typescript/no-explicit-any -- manifests of any kind are applied
type Manifest = any;

const AT_ONCE = 32;
const PLURALS: Record<string, string> = { Namespace: 'namespaces', Secret: 'secrets', CustomResourceDefinition: 'customresourcedefinitions', ...RESOURCES };

/** A control plane with our CRDs and the namespace of the benchmark, seen by an administrator. */
export class BenchCluster {
  private constructor(readonly plane: TestPlane, private readonly client: KubeClient, private readonly access: ClusterAccess) {}

  static async start(): Promise<BenchCluster> {
    const plane = await startPlane();
    const access = await ClusterAccess.load({ file: plane.kubeconfig('admin') });
    const cluster = new BenchCluster(plane, new KubeClient({ access, userAgent: 'bench' }), access);
    for (const kind of MIRRORED_KINDS) {
      const path = fileURLToPath(new URL(`../../../../schema/crds/${RESOURCES[kind]}.fairlead.dev.yaml`, import.meta.url));
      await cluster.#applyOne(parse(readFileSync(path, 'utf8')));
      await until(() => cluster.list(kind).then(() => true, () => false));
    }
    await cluster.#applyOne({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { 'fairlead.dev/team': NAMESPACE } } });
    return cluster;
  }

  async stop(): Promise<void> {
    await this.access.close();
    await this.plane.stop();
  }

  /** Applies all of them, many at once. */
  async apply(manifests: readonly object[]): Promise<void> {
    const left = manifests.values();
    const work = async (): Promise<void> => {
      for (const manifest of left) await this.#applyOne(manifest);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  /** Until so many objects of each kind were seen to be Ready at the same time, of their present generation; by a watch. */
  async ready(count: number, seen: (ready: number) => void): Promise<void> {
    const ready = new Set<string>();
    let settle!: () => void;
    const done = new Promise<void>((resolve) => { settle = resolve; });
    const look = (kind: MirroredKind, object: CustomResource): void => {
      const key = `${kind} ${object.metadata.name}`;
      if (isReady(object)) ready.add(key);
      else ready.delete(key);
      seen(ready.size);
      if (ready.size === count * MIRRORED_KINDS.length) settle();
    };
    const reflectors = MIRRORED_KINDS.map((kind) => new Reflector<CustomResource>({
      client: this.client, path: collectionOf(kind, NAMESPACE), logger: createLogger('silent'), random: Math.random,
      handlers: { listed: (items) => items.forEach((item) => look(kind, item)), changed: (object) => look(kind, object), deleted: () => undefined, resourceMissing: () => undefined },
    }));
    for (const reflector of reflectors) reflector.start();
    await done;
    await Promise.all(reflectors.map((reflector) => reflector.stop()));
  }

  async list(kind: MirroredKind): Promise<CustomResource[]> {
    return (await this.client.send<{ items: CustomResource[] }>({ method: 'GET', path: collectionOf(kind, NAMESPACE) })).items;
  }

  /** Events of the namespace, as text. */
  async events(): Promise<string> {
    return JSON.stringify(await this.client.send({ method: 'GET', path: `/apis/events.k8s.io/v1/namespaces/${NAMESPACE}/events` }));
  }

  /** The names that `kubectl get` calls Ready; where there is no kubectl, the API server's objects are asked. */
  async readyByKubectl(kind: MirroredKind): Promise<string[]> {
    const args = ['--kubeconfig', this.plane.kubeconfig('admin'), 'get', RESOURCES[kind], '--namespace', NAMESPACE, '--no-headers'];
    try {
      const { stdout } = await promisify(execFile)('kubectl', args, { maxBuffer: 64 * 1024 * 1024 });
      return stdout.split('\n').map((line) => line.split(/\s+/)).filter(([, ready]) => ready === 'True').map(([name]) => name!);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return (await this.list(kind)).filter(isReady).map(({ metadata }) => metadata.name);
    }
  }

  async #applyOne(object: Manifest): Promise<void> {
    const { apiVersion, kind, metadata } = object as { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } };
    const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
    const path = `${root}${metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`}/${PLURALS[kind]}/${metadata.name}`;
    await this.client.send({ method: 'PATCH', path, query: { fieldManager: 'bench', force: 'true' }, body: object, contentType: 'application/apply-patch+yaml' });
  }
}

function isReady({ metadata, status }: CustomResource): boolean {
  const { conditions = [], observedGeneration } = (status ?? {}) as { conditions?: { type: string; status: string }[]; observedGeneration?: number };
  return observedGeneration === metadata.generation && conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True');
}

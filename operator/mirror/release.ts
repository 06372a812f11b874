import type { MirrorConfig } from '#core/config/config.js';
import { ClusterAccess } from '../kubernetes/cluster-access.js';
import { KubeClient } from '../kubernetes/kube-client.js';
import { isKubeFault } from '../kubernetes/kube-fault.js';
import { LEASE_TIMES, type LeaseTimes } from '../kubernetes/leader-election.js';
import { SeizedLease } from '../kubernetes/seized-lease.js';
import { FINALIZER, MIRRORED_KINDS, type CustomResource, type MirroredKind } from '../manifest/resources.js';
import { collectionOf } from './cluster.js';
import { MIRROR_LEASE } from './start-mirror.js';

/** What {@link releaseManifests} works with. */
export interface ReleaseOptions {
  mirror: Pick<MirrorConfig, 'kubeconfig' | 'namespaces' | 'leaseNamespace'>;
  version: string;
  /** Writes a line for people. */
  print: (line: string) => void;
  signal: AbortSignal;
  leaseTimes?: Partial<LeaseTimes>;
}

const PAGE_SIZE = 500;
/** Somebody may change an object just when it is released. */
const PASSES = 10;

/**
 * Lets go of all manifests, before the operator goes for good: takes the mirror from whoever leads, and our finalizer off every object, so that they can be deleted when there is no operator.
 * What they declared stays in PostgreSQL.
 * @returns how many were released, and whether none is left
 */
export async function releaseManifests({ mirror, version, print, signal, leaseTimes }: ReleaseOptions): Promise<{ released: number; complete: boolean }> {
  const access = await ClusterAccess.load(mirror.kubeconfig === null ? 'IN_CLUSTER' : { file: mirror.kubeconfig });
  const client = new KubeClient({ access, userAgent: `fairlead-release/${version}` });
  let lease: SeizedLease | null = null;
  try {
    lease = await SeizedLease.take({ client, namespace: mirror.leaseNamespace ?? access.namespace ?? 'default', name: MIRROR_LEASE, times: { ...LEASE_TIMES, ...leaseTimes }, signal });
    const collections = (mirror.namespaces ?? [null]).flatMap((namespace) => MIRRORED_KINDS.map((kind) => ({ kind, namespace })));
    let released = 0;
    for (let pass = 1; pass <= PASSES && !signal.aborted; pass += 1) {
      let held = 0;
      for (const { kind, namespace } of collections) {
        for (const object of await heldOf(client, kind, namespace, signal, (why) => { if (pass === 1) print(why); })) {
          held += 1;
          if (await letGo(client, kind, object, signal)) released += 1;
        }
      }
      if (held === 0) return { released, complete: true };
    }
    return { released, complete: false };
  } finally {
    await lease?.end();
    await access.close();
  }
}

/** The objects of a collection that our finalizer is on. */
async function heldOf(client: KubeClient, kind: MirroredKind, namespace: string | null, signal: AbortSignal, tell: (why: string) => void): Promise<CustomResource[]> {
  const held: CustomResource[] = [];
  let from = '';
  try {
    do {
      const page = await client.send<{ metadata: { continue?: string }; items: CustomResource[] }>({
        method: 'GET', path: collectionOf(kind, namespace), query: { limit: String(PAGE_SIZE), ...(from !== '' && { continue: from }) }, signal,
      });
      held.push(...page.items.filter(({ metadata }) => metadata.finalizers?.includes(FINALIZER)));
      from = page.metadata.continue ?? '';
    } while (from !== '');
  } catch (error) {
    // A list that went too far back begins anew with the next pass. Without its CRD there is no object.
    if (isKubeFault(error, 'NOT_FOUND', 'GONE')) return held;
    if (!isKubeFault(error, 'FORBIDDEN')) throw error;
    tell(`${namespace ?? 'The cluster'}: the ${kind}s can't be listed (${error.reason ?? 'forbidden'}). If the namespace is there, take the finalizer ${FINALIZER} off them by hand.`);
  }
  return held;
}

/** Answers whether the object is released: one that changed meanwhile is left for the next pass. */
async function letGo(client: KubeClient, kind: MirroredKind, { metadata }: CustomResource, signal: AbortSignal): Promise<boolean> {
  const { namespace, name, uid, resourceVersion } = metadata;
  const finalizers = metadata.finalizers!.filter((one) => one !== FINALIZER);
  try {
    await client.send({ method: 'PATCH', path: `${collectionOf(kind, namespace)}/${name}`, contentType: 'application/merge-patch+json', body: { metadata: { uid, resourceVersion, finalizers } }, signal });
    return true;
  } catch (error) {
    if (isKubeFault(error, 'NOT_FOUND')) return true;
    if (isKubeFault(error, 'CONFLICT')) return false;
    throw error;
  }
}

import type { Config, MirrorConfig } from '#core/config/config.js';
import type { Logger } from '#core/log.js';
import { GroupedSchedule } from '#core/store/grouped-schedule.js';
import type { Store } from '#core/store/store.js';
import type { Traces } from '#core/traces/traces.js';
import type { CredentialBox } from '#core/upkeep/credential-box.js';
import type { OAuthClientRegistry } from '#core/upkeep/oauth-clients.js';
import type { TypeOAuth } from '#core/upkeep/type-oauth.js';
import type { Upkeep } from '#core/upkeep/upkeep.js';
import type { Vault } from '#core/vault/vault.js';
import { ClusterAccess } from '../kubernetes/cluster-access.js';
import { EventRecorder } from '../kubernetes/event-recorder.js';
import { KubeClient } from '../kubernetes/kube-client.js';
import { LeaderElection, type LeaseTimes } from '../kubernetes/leader-election.js';
import { OperatorMetrics } from '../runtime/metrics.js';
import { Worker } from '../runtime/worker.js';
import { Burial } from './burial.js';
import { Cluster } from './cluster.js';
import { ClusterWatch } from './cluster-watch.js';
import { CredentialKeeper } from './credential-keeper.js';
import { EnrollmentImporter } from './enrollment-importer.js';
import { Exporter } from './exporter.js';
import { Marker } from './marker.js';
import { MirrorNamespaceReconciler } from './mirror-namespace-reconciler.js';
import { MirrorObjectReconciler } from './mirror-object-reconciler.js';
import { NamespaceBinder } from './namespace-binder.js';
import { ObjectCache } from './object-cache.js';
import { plan, planLine } from './plan.js';
import { PreregisteredClients } from './preregistered-clients.js';
import { Projector } from './projector.js';
import { RowsReader } from './rows-reader.js';
import { TypeImporter } from './type-importer.js';

/** What a mirror is started on: what the operator has built already. */
export interface MirrorResources {
  mirror: MirrorConfig;
  config: Pick<Config, 'shutdownTimeoutMs'>;
  /** The operator's id among the living. */
  workerId: string;
  store: Store;
  vault: Vault;
  box: CredentialBox;
  upkeep: Upkeep;
  oauth: TypeOAuth;
  registry: OAuthClientRegistry;
  metrics: OperatorMetrics;
  traces: Traces;
  /** After so long a silence of a worker's others take over. */
  deadAfterMs: number;
  publicUrl: string;
  version: string;
  logger: Logger;
  now: () => Date;
  /** Monotonic milliseconds. */
  clock: () => number;
  random: () => number;
  /** Writes a line for people: plans. */
  print: (line: string) => void;
  leaseTimes?: Partial<LeaseTimes>;
}

/** A mirror at work, or standing by. */
export interface RunningMirror {
  /** Something may be due. */
  wake(): void;
  /** Whether this process mirrors now: one of all does. */
  readonly leading: boolean;
  stop(): Promise<void>;
}

/** By which one operator of all mirrors. */
export const MIRROR_LEASE = 'fairlead-mirror';
const SLOTS = 32;
const SWEEP_BATCH = 2000;

/** The composition root of the mirror. Resolves when it stands by; whoever holds the Lease mirrors. `observe` prints its plan once, and does nothing. */
export async function startMirror(resources: MirrorResources): Promise<RunningMirror> {
  const { mirror, logger, random, metrics, version } = resources;
  const access = await ClusterAccess.load(mirror.kubeconfig === null ? 'IN_CLUSTER' : { file: mirror.kubeconfig });
  const client = new KubeClient({ access, userAgent: `fairlead-operator/${version}`, counted: (method, code) => metrics.requested(method, code) });
  let worker: Worker | null = null;
  const lead = async (signal: AbortSignal): Promise<void> => {
    const reign = await begin(resources, client, signal);
    worker = reign.worker;
    try {
      await aborted(signal);
    } finally {
      worker = null;
      await reign.end();
    }
  };
  if (mirror.mode === 'observe') {
    const ended = new AbortController();
    const observing = observe(resources, client, ended.signal).catch((error: unknown) => logger.error({ err: error }, 'the cluster could not be observed'));
    return {
      wake: () => undefined, leading: false,
      async stop() {
        ended.abort();
        await observing;
        await access.close();
      },
    };
  }
  const election = new LeaderElection({ client, namespace: mirror.leaseNamespace ?? access.namespace ?? 'default', name: MIRROR_LEASE, lead, logger, random, times: resources.leaseTimes });
  election.start();
  return {
    wake: () => worker?.wake(),
    get leading() {
      return election.leading;
    },
    async stop() {
      await election.stop();
      await access.close();
    },
  };
}

/** Looks, prints what would be done, and ends. */
async function observe(resources: MirrorResources, client: KubeClient, signal: AbortSignal): Promise<void> {
  const { mirror, store, logger, random, print } = resources;
  const cache = new ObjectCache(mirror.namespaces);
  const binder = new NamespaceBinder({ store, clusterUid: await new Cluster(client, cache).uid(signal), logger });
  const watch = new ClusterWatch({ client, cache, binder, marker: null, swept: () => undefined, namespaces: mirror.namespaces, logger, random });
  await watch.start(signal);
  await watch.stop();
  if (signal.aborted) return;
  const steps = await plan({ store, cache, binder });
  print(`The mirror only observes. It would look after ${steps.length} objects:`);
  for (const step of steps) print(`  ${planLine(step)}`);
}

/** What leads: follows the cluster, and works off the mirror's part of the schedule. */
async function begin(resources: MirrorResources, client: KubeClient, signal: AbortSignal) {
  const { mirror, store, vault, box, upkeep, oauth, registry, metrics, publicUrl, logger, now, clock, random, workerId } = resources;
  const cache = new ObjectCache(mirror.namespaces);
  const cluster = new Cluster(client, cache);
  const events = new EventRecorder({ client, logger, now: () => now().getTime() });
  const binder = new NamespaceBinder({ store, clusterUid: await cluster.uid(signal), logger });
  const marker = new Marker({ store, look: (namespace) => binder.look(namespace), logger });
  const sweep = async (): Promise<void> => {
    await store.mirrorNamespaces.trackAll();
    const bindings = await store.mirrorObjects.in(mirror.namespaces);
    // What should be there, and isn't; what is there was marked when it was seen.
    const unseen = bindings.filter(({ kind, namespace, name, state }) => (state === 'ACTIVE' || state === 'OFFERED') && cache.get(kind, namespace, name) === null).map(({ id }) => id);
    for (let from = 0; from < unseen.length; from += SWEEP_BATCH) await store.mirrorObjects.mark(unseen.slice(from, from + SWEEP_BATCH));
  };
  let sweeping: Promise<void> = Promise.resolve();
  const swept = (): void => {
    sweeping = sweeping.then(sweep).catch((error: unknown) => logger.warn({ err: error }, 'what is missing in the cluster could not be noted; the next list does'));
  };
  const keeper = new CredentialKeeper({ store, cluster, upkeep, box, vault, random, now });
  const projector = new Projector({ store, cluster, now, publicUrl, redirectUri: oauth.redirectUri });
  const objects = new MirrorObjectReconciler({
    store, reader: new RowsReader(store), cache, cluster, binder, projector,
    types: new TypeImporter({ store, upkeep, now, clients: new PreregisteredClients({ store, cluster, registry, oauth, vault, random, now }) }),
    enrollments: new EnrollmentImporter({ store, upkeep, keeper, now }),
    exporter: new Exporter({ store, cluster, events }),
    burial: new Burial({ store, cluster, events, graceSeconds: mirror.graceSeconds, logger }),
  });
  const worker = new Worker({ id: workerId, schedule: new GroupedSchedule(store.schedule), reconcilers: [objects, new MirrorNamespaceReconciler({ store, binder })], metrics, traces: resources.traces, deadAfterMs: resources.deadAfterMs, logger, clock, random, slots: SLOTS, perLane: SLOTS });
  const watch = new ClusterWatch({ client, cache, binder, marker, swept, namespaces: mirror.namespaces, logger, random });
  const end = async (): Promise<void> => {
    await worker.stop(resources.config.shutdownTimeoutMs);
    await watch.stop();
    await marker.stop();
    await sweeping;
    await events.stop();
  };
  await watch.start(signal);
  await marker.settled();
  if (!signal.aborted) {
    const steps = await plan({ store, cache, binder });
    logger.info({ plan: Object.fromEntries(Object.entries(Object.groupBy(steps, ({ step }) => step)).map(([step, group]) => [step, group?.length ?? 0])) }, 'the mirror begins');
    worker.start();
  }
  return { worker, end };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

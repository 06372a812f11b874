import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import type { Config } from '#core/config/config.js';
import { parseAllowRules } from '#core/egress/allow-rules.js';
import { Egress } from '#core/egress/egress.js';
import { ownEndpoints } from '#core/egress/own-endpoints.js';
import { parseLossless } from '#core/json/lossless.js';
import type { Logger } from '#core/log.js';
import { KeptSessions } from '#core/mcp/kept-sessions.js';
import { probeServer } from '#core/mcp/probe.js';
import { SessionOpener } from '#core/mcp/session-opener.js';
import { createRegistry, listenerGauge, startMetricsServer, type Readiness } from '#core/metrics.js';
import { clientMetadataUrl } from '#core/oauth/outcome.js';
import { Listener } from '#core/store/listener.js';
import { DUE_CHANNEL } from '#core/store/schedule.js';
import { GroupedSchedule } from '#core/store/grouped-schedule.js';
import { Store } from '#core/store/store.js';
import { startTraces } from '#core/traces/start-traces.js';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { Leftovers } from '#core/upkeep/leftovers.js';
import { OAuthCheck } from '#core/upkeep/oauth-check.js';
import { OAuthClientRegistry } from '#core/upkeep/oauth-clients.js';
import { OAuthTokens } from '#core/upkeep/oauth-tokens.js';
import { Pulse } from '#core/upkeep/pulse.js';
import { TypeOAuth } from '#core/upkeep/type-oauth.js';
import { Upkeep } from '#core/upkeep/upkeep.js';
import { UpkeepMetrics } from '#core/upkeep/upkeep-metrics.js';
import type { LiveKeyRing } from '#core/vault/live-key-ring.js';
import { Vault } from '#core/vault/vault.js';
import { Housekeeping } from './housekeeping.js';
import { KeyRotation, KeyRotationMetrics } from './key-rotation.js';
import { ConnectionTypeReconciler } from './kinds/connection-type/connection-type-reconciler.js';
import { EnrollmentReconciler } from './kinds/enrollment/enrollment-reconciler.js';
import { TombstoneReconciler } from './kinds/tombstone/tombstone-reconciler.js';
import type { LeaseTimes } from './kubernetes/leader-election.js';
import type { RunningMirror } from './mirror/start-mirror.js';
import { deadAfterMs, Heartbeat } from './runtime/heartbeat.js';
import { OperatorMetrics } from './runtime/metrics.js';
import { Worker } from './runtime/worker.js';

/** What an operator is started on. */
export interface OperatorResources {
  /** A database that answers and is migrated. */
  databaseUrl: string;
  keyRing: LiveKeyRing;
  logger: Logger;
  /** This program's version, for servers that ask. */
  version: string;
  /** Where people reach this installation: OAuth clients belong to its callback. */
  publicUrl: string;
  /** The API's metrics, where both run in one process; otherwise the operator serves its own, as configured. */
  metrics: Registry | null;
  /** Ports of ours on this machine, which no connection type may reach. */
  ownPorts: readonly number[];
  /** Writes a line for people: what the mirror would do, with `FAIRLEAD_MIRROR=observe`. */
  print?: (line: string) => void;
  /** How long a mirror's lease lives; the usual times if absent. */
  leaseTimes?: Partial<LeaseTimes>;
}

/** An operator at work. */
export interface RunningOperator {
  /** Finishes or hands back what it holds, within `config.shutdownTimeoutMs`, and closes everything. */
  stop(): Promise<void>;
}

/** Longer than the usual interval between two looks, so that most servers are asked through the session that they know. */
const KEPT = { idleMs: 5 * 60_000, maxAgeMs: 3_600_000, maxSessions: 20_000 };
const KEPT_GRACE_MS = 3000;
const OAUTH_TIMEOUT_MS = 15_000;
const CLIENT_NAME = 'Fairlead';

/** The composition root of the operator: builds everything, top to bottom, and resolves when it works. Any number of them share one database. */
export async function startOperator(config: Config, resources: OperatorResources): Promise<RunningOperator> {
  const { logger, databaseUrl, version, publicUrl } = resources;
  const now = () => new Date();
  const clock = () => performance.now();
  const random = Math.random;
  const registry = resources.metrics ?? createRegistry();
  const metrics = new OperatorMetrics(registry);

  const traces = await startTraces(config.traces, 'operator', version, logger);
  const egress = new Egress({
    policy: { allow: parseAllowRules(config.egressAllow), allowLoopback: config.localMode, denied: ownEndpoints(databaseUrl, config.traces) }, logger, traces, propagateTraces: config.traces?.propagate,
  });
  for (const port of resources.ownPorts) egress.forbid(port);
  const store = await Store.open({ url: databaseUrl, poolSize: config.databasePoolSize });
  const vault = new Vault(resources.keyRing, store.keys);
  const box = new CredentialBox(vault);
  const opener = new SessionOpener({ egress, clientInfo: { name: 'fairlead', version }, parse: parseLossless });
  const upkeepMetrics = new UpkeepMetrics(registry, clock);
  const keep = new KeptSessions({ ...KEPT, clock });
  const probe = upkeepMetrics.counted((url, headers, timeoutMs, secrets) => probeServer({ url, headers, secrets, opener, egress, timeoutMs, clock, keep }));
  const transport = { egress, timeoutMs: OAUTH_TIMEOUT_MS };
  // Nothing is cached here; the API's processes hear `fairlead_changed`.
  const changed = (): void => undefined;
  const clients = new OAuthClientRegistry({ store, vault, transport, clientName: CLIENT_NAME, now });
  const oauth = new TypeOAuth({
    store, registry: clients, transport, redirectUri: () => `${publicUrl}/oauth/callback`, clientMetadataUrl: () => clientMetadataUrl(publicUrl, config.clientMetadataUrl), now, clock, changed,
  });
  const leftovers = new Leftovers({ store, vault, box, registry: clients, transport, clientName: CLIENT_NAME, now, random, logger });
  const tokens = new OAuthTokens({
    store, box, transport, changed, now, clock, random, logger, metrics: upkeepMetrics,
    setupOf: (type, issuedTo) => oauth.setupOfLogin(type, issuedTo),
    clientRefused: (type, clientRowId) => oauth.clientRefused(type, clientRowId),
    orphaned: (orphan) => leftovers.orphaned(orphan),
  });
  const upkeep = new Upkeep({ store, box, probe, now, oauth: new OAuthCheck({ store, oauth, registry: clients, now }), tokens, changed });

  const id = randomUUID();
  const heartbeat = new Heartbeat({ processes: new Pulse({ role: 'OPERATOR', processes: store.processes, keyRing: resources.keyRing, logger }), worker: id, intervalMs: config.operatorHeartbeatMs, clock, logger });
  metrics.watchHeartbeat(() => heartbeat.ageMs);
  const deadAfter = deadAfterMs(config.operatorHeartbeatMs);
  const reconcilers = [new ConnectionTypeReconciler({ store, upkeep, random }), new EnrollmentReconciler({ store, upkeep, tokens, random }), new TombstoneReconciler({ store, leftovers })];
  const worker = new Worker({ id, schedule: new GroupedSchedule(store.schedule), reconcilers, metrics, traces, logger, clock, random, deadAfterMs: deadAfter });
  const housekeeping = new Housekeeping({ store, metrics, deadAfterMs: deadAfter, keptDays: config.keptDays, now, logger });
  const keyRotation = new KeyRotation({ keys: store.keys, keyRing: resources.keyRing, metrics: new KeyRotationMetrics(registry), logger });
  let mirror: RunningMirror | null = null;
  const wake = (): void => {
    worker.wake();
    mirror?.wake();
  };
  const connected = listenerGauge(registry, 'operator');
  const listener = new Listener({
    url: databaseUrl, logger,
    handlers: { [DUE_CHANNEL]: wake },
    onChange: (listening) => {
      connected(listening);
      wake();
    },
  });
  const ready = async (): Promise<Readiness> => {
    const database = await store.ping().then(() => 'ok', () => 'unreachable');
    const alive = heartbeat.alive ? 'ok' : 'too old: others take the work over';
    return { ok: database === 'ok' && heartbeat.alive, checks: { database, heartbeat: alive } };
  };

  const metricsServer = resources.metrics !== null || config.metrics === null ? null : await startMetricsServer({ registry, ready, ...config.metrics });
  if (metricsServer !== null) {
    egress.forbid(metricsServer.port);
    logger.info({ url: metricsServer.url }, 'metrics and probes are served');
  }
  const stop = async (): Promise<void> => {
    await mirror?.stop();
    await worker.stop(config.shutdownTimeoutMs);
    await housekeeping.stop();
    await keyRotation.stop();
    await listener.stop();
    await heartbeat.stop();
    await metricsServer?.close();
    await tokens.stop();
    await clients.stop();
    await leftovers.stop();
    await keep.close(KEPT_GRACE_MS);
    await egress.close();
    await store.close();
    await traces.stop();
  };
  await heartbeat.start();
  listener.start();
  housekeeping.start();
  leftovers.start();
  keyRotation.start();
  worker.start();
  if (config.mirror !== null) {
    // Loaded only where there is a cluster.
    const { startMirror } = await import('./mirror/start-mirror.js');
    const starting = startMirror({
      mirror: config.mirror, config, workerId: id, store, vault, box, upkeep, oauth, registry: clients, metrics, traces, deadAfterMs: deadAfter, publicUrl, version, logger, now, clock, random,
      print: resources.print ?? ((line) => logger.info(line)), leaseTimes: resources.leaseTimes,
    });
    // Without a usable kubeconfig: nothing of what was started goes on.
    starting.catch(stop);
    mirror = await starting;
  }

  return { stop };
}


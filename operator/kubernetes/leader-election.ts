import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '#core/log.js';
import type { KubeClient } from './kube-client.js';
import { isKubeFault } from './kube-fault.js';

/** What {@link LeaderElection} is built of. */
export interface LeaderElectionOptions {
  client: Pick<KubeClient, 'send'>;
  namespace: string;
  /** Of the Lease. */
  name: string;
  /** Leads until the signal is aborted, then ends. */
  lead: (signal: AbortSignal) => Promise<void>;
  logger: Logger;
  /** From 0 to 1. */
  random: () => number;
  times?: Partial<LeaseTimes>;
}

/** In milliseconds; those of controller-runtime. */
export interface LeaseTimes {
  /** A lease that wasn't renewed for so long is anybody's. */
  leaseMs: number;
  /** Who couldn't renew for so long stops leading: sooner than anybody else begins. */
  renewMs: number;
  retryMs: number;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/ */
interface Lease {
  metadata: { name: string; resourceVersion: string };
  spec: { holderIdentity?: string | null; leaseDurationSeconds?: number; acquireTime?: string | null; renewTime?: string | null; leaseTransitions?: number };
}

/** As long as nobody says otherwise. */
export const LEASE_TIMES: LeaseTimes = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2000 };

/**
 * One of the replicas leads: whoever holds a Lease. When it ran out is judged by when *we* saw it change, never by the clock of somebody else. A Lease is no fence: what
 * the leader does is fenced in PostgreSQL all the same.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #times: LeaseTimes;
  readonly #identity = `${hostname()}_${randomUUID()}`;
  readonly #ended = new AbortController();
  #work: Promise<void> | null = null;
  #seen: { version: string; at: number } | null = null;
  #leading = false;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#times = { ...LEASE_TIMES, ...options.times };
  }

  get leading(): boolean {
    return this.#leading;
  }

  start(): void {
    this.#work ??= this.#run();
  }

  /** Stops leading, and lets the Lease go, so that the next one need not wait. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#work;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      const held = await this.#tried();
      // Ended while it was asked for: let go of what we may have got.
      if (held && signal.aborted) await this.#released();
      else if (held) await this.#lead();
      if (!signal.aborted) await this.#pause();
    }
  }

  async #lead(): Promise<void> {
    const { lead, logger } = this.#options;
    const reign = new AbortController();
    const end = () => reign.abort();
    this.#ended.signal.addEventListener('abort', end, { once: true });
    logger.info({ identity: this.#identity }, 'leading the mirror');
    this.#leading = true;
    const work = lead(reign.signal).catch((error: unknown) => logger.error({ err: error }, 'leading the mirror failed')).finally(end);
    let renewed = performance.now();
    while (!reign.signal.aborted) {
      await this.#pause(reign.signal);
      if (reign.signal.aborted) break;
      if (await this.#tried()) renewed = performance.now();
      else if (performance.now() - renewed > this.#times.renewMs) {
        logger.warn('the lease could not be renewed in time: no longer leading');
        break;
      }
    }
    end();
    await work;
    this.#leading = false;
    this.#ended.signal.removeEventListener('abort', end);
    await this.#released();
  }

  /** Whether we hold it now. Never throws. */
  async #tried(): Promise<boolean> {
    const { client, logger } = this.#options;
    try {
      const lease = await this.#read();
      if (lease === null) {
        await client.send({ method: 'POST', path: this.#collection, body: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: this.#options.name }, spec: this.#spec(null) }, signal: this.#deadline() });
        return true;
      }
      const { holderIdentity } = lease.spec;
      if (this.#seen?.version !== lease.metadata.resourceVersion) this.#seen = { version: lease.metadata.resourceVersion, at: performance.now() };
      const free = holderIdentity == null || holderIdentity === '' || performance.now() - this.#seen.at > this.#times.leaseMs;
      if (holderIdentity !== this.#identity && !free) return false;
      await client.send({ method: 'PUT', path: this.#path, body: { ...lease, apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', spec: this.#spec(lease) }, signal: this.#deadline() });
      return true;
    } catch (error) {
      if (!isKubeFault(error, 'CONFLICT', 'ALREADY_EXISTS') && !this.#ended.signal.aborted) logger.warn({ err: error }, 'the lease can\'t be had now');
      return false;
    }
  }

  async #read(): Promise<Lease | null> {
    try {
      return await this.#options.client.send<Lease>({ method: 'GET', path: this.#path, signal: this.#deadline() });
    } catch (error) {
      if (isKubeFault(error, 'NOT_FOUND')) return null;
      throw error;
    }
  }

  #spec(before: Lease | null): Lease['spec'] {
    const now = new Date().toISOString().replace('Z', '000Z');
    const ours = before?.spec.holderIdentity === this.#identity;
    return {
      holderIdentity: this.#identity, leaseDurationSeconds: Math.max(1, Math.round(this.#times.leaseMs / 1000)), renewTime: now,
      acquireTime: ours ? before.spec.acquireTime ?? now : now, leaseTransitions: (before?.spec.leaseTransitions ?? -1) + (ours ? 0 : 1),
    };
  }

  async #released(): Promise<void> {
    const { client, logger } = this.#options;
    try {
      const lease = await this.#read();
      if (lease?.spec.holderIdentity !== this.#identity) return;
      const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: new Date().toISOString().replace('Z', '000Z') };
      await client.send({ method: 'PUT', path: this.#path, body: { ...lease, apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', spec }, signal: this.#deadline() });
    } catch (error) {
      logger.info({ err: error }, 'the lease was not released: it runs out by itself');
    }
  }

  #deadline(): AbortSignal {
    return AbortSignal.timeout(this.#times.renewMs / 2);
  }

  async #pause(signal: AbortSignal = this.#ended.signal): Promise<void> {
    await delay(this.#times.retryMs * (1 + 0.2 * this.#options.random()), undefined, { signal }).catch(() => undefined);
  }

  get #collection(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
  }

  get #path(): string {
    return `${this.#collection}/${this.#options.name}`;
  }
}

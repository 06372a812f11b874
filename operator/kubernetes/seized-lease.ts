import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeClient } from './kube-client.js';
import { isKubeFault } from './kube-fault.js';
import type { LeaseTimes } from './leader-election.js';

/** What {@link SeizedLease} is built of. */
export interface SeizedLeaseOptions {
  client: Pick<KubeClient, 'send'>;
  namespace: string;
  name: string;
  times: LeaseTimes;
  /** Ends the waiting. */
  signal: AbortSignal;
}

interface Lease {
  spec: { holderIdentity?: string | null };
}

const LEASE_VERSION = 'coordination.k8s.io/v1';

/**
 * A Lease that is taken from whoever holds it, and kept: to end what its holders do, for good. Who led notices at its next renewal, or stops when it can't renew in time; nobody else
 * begins while this one is renewed, nor for {@link LeaseTimes.leaseMs} after that.
 */
export class SeizedLease {
  readonly #identity = `${hostname()}_${randomUUID()}`;
  readonly #ended = new AbortController();
  #renewing: Promise<void> = Promise.resolve();

  private constructor(private readonly options: SeizedLeaseOptions) {}

  /** Resolves when nobody else leads any more. Throws {@link KubeFault}. */
  static async take(options: SeizedLeaseOptions): Promise<SeizedLease> {
    const lease = new SeizedLease(options);
    const before = await lease.#write();
    lease.#renewing = lease.#renew();
    // Who held it may not have heard of us before its own time is over.
    if (before !== '') await delay(options.times.leaseMs, undefined, { signal: options.signal }).catch(() => undefined);
    return lease;
  }

  /** Renews it no more. It isn't let go of: what led may be there for a moment yet. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#renewing;
  }

  async #renew(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await delay(this.options.times.retryMs, undefined, { signal }).catch(() => undefined);
      // One renewal that fails is made good by the next: others wait for longer than that.
      if (!signal.aborted) await this.#write().catch(() => undefined);
    }
  }

  /** Answers who held it before, other than us; nobody is ''. */
  async #write(): Promise<string> {
    const { client, namespace, name, times, signal } = this.options;
    const collection = `/apis/${LEASE_VERSION}/namespaces/${namespace}/leases`;
    const now = new Date().toISOString().replace('Z', '000Z');
    const spec = { holderIdentity: this.#identity, leaseDurationSeconds: Math.max(1, Math.round(times.leaseMs / 1000)), acquireTime: now, renewTime: now };
    for (;;) {
      try {
        const found = await client.send<Lease>({ method: 'GET', path: `${collection}/${name}`, signal });
        await client.send({ method: 'PUT', path: `${collection}/${name}`, body: { ...found, apiVersion: LEASE_VERSION, kind: 'Lease', spec: { ...found.spec, ...spec } }, signal });
        const { holderIdentity } = found.spec;
        return holderIdentity == null || holderIdentity === this.#identity ? '' : holderIdentity;
      } catch (error) {
        if (isKubeFault(error, 'NOT_FOUND')) {
          const made = await client.send({ method: 'POST', path: collection, body: { apiVersion: LEASE_VERSION, kind: 'Lease', metadata: { name }, spec }, signal }).then(() => true, (failed: unknown) => {
            if (isKubeFault(failed, 'ALREADY_EXISTS')) return false;
            throw failed;
          });
          if (made) return '';
        } else if (!isKubeFault(error, 'CONFLICT')) throw error;
      }
    }
  }
}

import { createHash } from 'node:crypto';
import type { KubeConfig } from '@kubernetes/client-node';
import { Agent } from 'undici';
import { StartFault } from '#core/postgres/start-fault.js';

/** How requests reach the API server: credentials are fresh, connections are kept. */
export interface Access {
  /** The API server's URL, without trailing slash. */
  server: string;
  headers: Record<string, string>;
  /** For requests that are answered at once. */
  dispatcher: Agent;
  /** For watches, each of which holds a connection of its own. */
  watchers: Agent;
}

/** Where a kubeconfig is read from: a file, or the pod's service account. */
export type KubeConfigSource = { file: string } | 'IN_CLUSTER';

const CONNECTIONS = 16;
const CLOSE_AFTER_MS = 60_000;

/**
 * Reads a kubeconfig by `@kubernetes/client-node`, which knows all the ways to be let in (service account tokens that rotate, certificates, exec plugins), and keeps connections, which it doesn't:
 * it would make a TLS connection for each request.
 */
export class ClusterAccess {
  #key = '';
  #agents: Pick<Access, 'dispatcher' | 'watchers'> | null = null;

  private constructor(private readonly config: KubeConfig, readonly server: string, readonly namespace: string | null) {}

  /** Throws StartFault when there is no usable configuration. The library is loaded here and nowhere else, so that nobody pays who has no cluster. */
  static async load(source: KubeConfigSource): Promise<ClusterAccess> {
    const { KubeConfig } = await import('@kubernetes/client-node');
    const config = new KubeConfig();
    try {
      if (source === 'IN_CLUSTER') config.loadFromCluster();
      else config.loadFromFile(source.file);
    } catch (error) {
      throw new StartFault('FAILED', `The configuration of the cluster can't be read: ${(error as Error).message}. Name a kubeconfig (FAIRLEAD_KUBECONFIG), or run inside the cluster.`, { cause: error });
    }
    const cluster = config.getCurrentCluster();
    if (cluster === null || !URL.canParse(cluster.server)) throw new StartFault('FAILED', 'No API server is known: name a kubeconfig (FAIRLEAD_KUBECONFIG) whose current-context has one, or run inside the cluster.');
    return new ClusterAccess(config, cluster.server.replace(/\/$/, ''), config.getContextObject(config.getCurrentContext())?.namespace ?? null);
  }

  /** For one request. */
  async next(): Promise<Access> {
    // Both are public in the library: headers of whoever is let in, and TLS for them.
    const options: { headers?: Record<string, unknown>; ca?: unknown; cert?: unknown; key?: unknown; rejectUnauthorized?: boolean; servername?: string; auth?: string } = {};
    await this.config.applyToHTTPSOptions(options as never);
    const headers = Object.fromEntries(Object.entries(options.headers ?? {}).map(([name, value]) => [name, String(value)]));
    if (options.auth !== undefined) headers['Authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    const { ca, cert, key, rejectUnauthorized, servername } = options;
    const tls = Object.fromEntries(Object.entries({ ca, cert, key, rejectUnauthorized, servername }).filter(([, value]) => value !== undefined));
    return { server: this.server, headers, ...this.#agentsFor(tls) };
  }

  async close(): Promise<void> {
    const agents = this.#agents;
    this.#agents = null;
    await Promise.all([agents?.dispatcher.destroy(), agents?.watchers.destroy()]);
  }

  /** The same as before, unless a certificate was rotated. */
  #agentsFor(tls: object): Pick<Access, 'dispatcher' | 'watchers'> {
    const hash = createHash('sha256');
    for (const [name, value] of Object.entries(tls)) hash.update(`${name}=${String(value)};`);
    const key = hash.digest('hex');
    if (this.#agents !== null && key === this.#key) return this.#agents;
    const old = this.#agents;
    if (old !== null) setTimeout(() => void Promise.all([old.dispatcher.destroy(), old.watchers.destroy()]), CLOSE_AFTER_MS).unref();
    this.#key = key;
    this.#agents = {
      dispatcher: new Agent({ connect: tls, connections: CONNECTIONS, allowH2: false }),
      watchers: new Agent({ connect: tls, bodyTimeout: 0, headersTimeout: 60_000, allowH2: false }),
    };
    return this.#agents;
  }
}

import { Pool, buildConnector } from 'undici';
import type { Dispatcher } from 'undici';
import { EgressError } from './errors.js';
import type { Exchange } from './exchange.js';
import { admittedAddresses, guardedLookup, type Resolve } from './lookup.js';
import type { Destination, EgressPolicy } from './policy.js';

/** How many connections and waiting requests one origin may have. */
export interface LaneLimits {
  maxConnections: number;
  maxQueue: number;
}

/** A connection that isn't made in this time won't be: also the longest that a slow resolver or TLS handshake can hold a slot. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * How long an idle connection is kept when the server doesn't say. Uvicorn and Node close theirs after 5 s, and only Node says so;
 * a request that meets a closing connection has an unknown outcome, which costs more than a new connection.
 */
const KEEP_ALIVE_MS = 4_000;

/**
 * The way to one origin: a bounded number of keep-alive connections, and a bounded queue in front of them. The queue is ours and not undici's, so
 * that a request can leave it when its deadline passes. HTTP/1.1 only, one request at a time on a connection: over HTTP/2 undici may
 * send a request again after GOAWAY, and one slow stream would share its fate with others.
 */
export class Lane {
  readonly #pool: Pool;
  readonly #origin: string;
  readonly #limits: LaneLimits;
  readonly #waiting = new Map<Exchange, Dispatcher.DispatchOptions>();
  #active = 0;

  /** @param onIdle called whenever the last connection is gone and nothing is under way: the lane may be dropped */
  constructor(policy: EgressPolicy, destination: Destination, resolve: Resolve, limits: LaneLimits, onIdle: () => void) {
    this.#origin = destination.url.origin;
    this.#limits = limits;
    this.#pool = new Pool(this.#origin, {
      connections: limits.maxConnections,
      pipelining: 1,
      allowH2: false,
      // One deadline of the caller's rules; undici's own timers would only add work.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: guardedConnector(policy, destination, resolve),
    });
    const idle = (): void => { if (this.idle) onIdle(); };
    this.#pool.on('disconnect', idle).on('connectionError', idle);
  }

  /** Whether there is neither a connection nor a request. */
  get idle(): boolean {
    return this.#active === 0 && this.#waiting.size === 0 && this.#pool.stats.connected === 0;
  }

  /** Sends the exchange's request, now or when a connection is free; `BUSY` if too many wait. */
  send(options: Dispatcher.DispatchOptions, exchange: Exchange): void {
    if (exchange.failed) return;
    exchange.onReleased = () => this.#release();
    if (this.#active < this.#limits.maxConnections) {
      this.#dispatch(options, exchange);
    } else if (this.#waiting.size < this.#limits.maxQueue) {
      this.#waiting.set(exchange, options);
      exchange.onAbandoned = () => this.#waiting.delete(exchange);
    } else {
      exchange.abort(new EgressError('BUSY', `${this.#origin}: ${this.#waiting.size} requests wait already`, { sent: 'NOTHING' }));
    }
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    for (const exchange of this.#waiting.keys()) exchange.abort(new EgressError('ABORTED', 'shutting down', { sent: 'NOTHING' }));
    this.#waiting.clear();
    await this.#pool.destroy();
  }

  #dispatch(options: Dispatcher.DispatchOptions, exchange: Exchange): void {
    this.#active += 1;
    this.#pool.dispatch(options, exchange);
  }

  #release(): void {
    this.#active -= 1;
    const next = this.#waiting.entries().next();
    if (next.done) return;
    const [exchange, options] = next.value;
    this.#waiting.delete(exchange);
    this.#dispatch(options, exchange);
  }
}

/** undici's connector, with the policy inside: `net.connect` asks no look-up for literal addresses, so those are checked before it. */
function guardedConnector(policy: EgressPolicy, destination: Destination, resolve: Resolve): buildConnector.connector {
  const connect = buildConnector({ allowH2: false, timeout: CONNECT_TIMEOUT_MS, lookup: guardedLookup(policy, destination, resolve) });
  if (!destination.literal) return connect;
  return (options, callback) => {
    admittedAddresses(policy, destination, resolve).then(
      () => connect(options, callback),
      (error: Error) => callback(error, null),
    );
  };
}

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
  readonly #closing = new AbortController();
  readonly #onIdle: () => void;
  #active = 0;
  /** Of the active ones, those that are done while undici has yet to free their connection. */
  #freeing = 0;

  /** @param onIdle called whenever the last connection is gone and nothing is under way: the lane may be dropped */
  constructor(policy: EgressPolicy, destination: Destination, resolve: Resolve, limits: LaneLimits, onIdle: () => void) {
    this.#origin = destination.url.origin;
    this.#limits = limits;
    this.#onIdle = onIdle;
    this.#pool = new Pool(this.#origin, {
      connections: limits.maxConnections,
      pipelining: 1,
      allowH2: false,
      // One deadline of the caller's rules; undici's own timers would only add work.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: guardedConnector(policy, destination, resolve, this.#closing.signal),
    });
    this.#pool.on('disconnect', () => this.#retireIfIdle());
  }

  /** Sends the exchange's request, now or when a connection is free; `BUSY` if too many wait. */
  send(options: Dispatcher.DispatchOptions, exchange: Exchange): void {
    if (exchange.failed) return;
    exchange.onReleased = () => this.#release();
    if (this.#freeing <= this.#waiting.size && this.#active < this.#limits.maxConnections) {
      this.#dispatch(options, exchange);
    } else if (this.#waiting.size < this.#limits.maxQueue + this.#freeing) {
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
    // Connections that are being made are not undici's yet.
    this.#closing.abort();
  }

  #dispatch(options: Dispatcher.DispatchOptions, exchange: Exchange): void {
    this.#active += 1;
    this.#pool.dispatch(options, exchange);
  }

  /**
   * undici frees a connection in the `setImmediate` after an answer. Waiting for that lets the next request of a sequence use the same
   * connection instead of paying for another TLS handshake. The microtask puts us behind undici, which calls before it schedules.
   */
  #release(): void {
    this.#freeing += 1;
    queueMicrotask(() => setImmediate(() => {
      this.#freeing -= 1;
      this.#active -= 1;
      const next = this.#waiting.entries().next();
      if (next.done) return this.#retireIfIdle();
      const [exchange, options] = next.value;
      this.#waiting.delete(exchange);
      this.#dispatch(options, exchange);
    }));
  }

  #retireIfIdle(): void {
    if (this.#active === 0 && this.#pool.stats.connected === 0) this.#onIdle();
  }
}

/** undici's connector, with the policy inside: `net.connect` asks no look-up for literal addresses, so those are checked before it. */
function guardedConnector(policy: EgressPolicy, destination: Destination, resolve: Resolve, closing: AbortSignal): buildConnector.connector {
  const lookup = guardedLookup(policy, destination, resolve);
  const connect = buildConnector({ allowH2: false, timeout: CONNECT_TIMEOUT_MS, lookup, signal: closing });
  if (!destination.literal) return connect;
  return (options, callback) => {
    admittedAddresses(policy, destination, resolve).then(
      () => connect(options, callback),
      (error: Error) => callback(error, null),
    );
  };
}

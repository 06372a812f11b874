import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
// By itself: all of undici, of which nothing else is used here, would cost each process two mebibytes.
import makeConnector from 'undici/lib/core/connect.js';
import { EgressError } from './errors.js';
import type { Exchange } from './exchange.js';
import { egressFault } from './faults.js';
import { admittedAddresses, guardedLookup, type Resolve } from './lookup.js';
import type { Destination, EgressPolicy } from './policy.js';
import { Wire, type RequestBytes } from './wire.js';

/** How many connections and waiting requests one origin may have. */
export interface LaneLimits {
  maxConnections: number;
  maxQueue: number;
}

/** A connection that isn't made in this time won't be: also the longest that a slow resolver or TLS handshake can hold a slot. */
const CONNECT_TIMEOUT_MS = 10_000;
const SWEEP_MS = 1_000;

/**
 * The way to one origin: a bounded number of keep-alive connections, and a bounded queue in front of them, which a request leaves when its deadline passes. HTTP/1.1 only,
 * one request at a time on a connection: over HTTP/2 one slow stream would share its fate with others. A connection is made by undici's connector, with the policy inside;
 * what goes over it is ours ([ADR 27](../../docs/adr/0027-a-send-of-our-own.md)).
 */
export class Lane {
  readonly #origin: string;
  readonly #secure: boolean;
  readonly #limits: LaneLimits;
  readonly #connector: buildConnector.connector;
  readonly #target: buildConnector.Options;
  readonly #onIdle: () => void;
  readonly #closing = new AbortController();
  readonly #waiting = new Map<Exchange, RequestBytes>();
  readonly #wires = new Set<Wire>();
  /** Of the wires, those that carry nothing: the one used last is taken first. */
  readonly #free: Wire[] = [];
  #connecting = 0;
  #sending = false;
  #sweeper: NodeJS.Timeout | null = null;

  /** @param onIdle called whenever the last connection is gone and nothing is under way: the lane may be dropped */
  constructor(policy: EgressPolicy, destination: Destination, resolve: Resolve, limits: LaneLimits, onIdle: () => void) {
    const { url } = destination;
    this.#origin = url.origin;
    this.#secure = destination.secure;
    this.#limits = limits;
    this.#onIdle = onIdle;
    this.#connector = guardedConnector(policy, destination, resolve, this.#closing.signal);
    this.#target = { host: url.host, hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'), protocol: url.protocol, port: url.port };
  }

  /** Sends the exchange's request, now or when a connection is free; `BUSY` if too many wait. */
  send(request: RequestBytes, exchange: Exchange): void {
    if (exchange.failed) return this.#retireIfIdle();
    const free = this.#takeFree();
    if (free !== null) return free.send(request, exchange);
    const room = this.#wires.size + this.#connecting < this.#limits.maxConnections;
    if (!room && this.#waiting.size - this.#connecting >= this.#limits.maxQueue) {
      return exchange.abort(new EgressError('BUSY', `${this.#origin}: ${this.#waiting.size} requests wait already`, { sent: 'NOTHING' }));
    }
    this.#waiting.set(exchange, request);
    exchange.onAbandoned = () => {
      this.#waiting.delete(exchange);
      this.#retireIfIdle();
    };
    if (room) this.#connect();
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    for (const exchange of this.#waiting.keys()) exchange.abort(this.#shuttingDown('NOTHING'));
    this.#waiting.clear();
    for (const wire of this.#wires) wire.abort(this.#shuttingDown('MAYBE'));
    // Those that are being made.
    this.#closing.abort();
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    this.#sweeper = null;
  }

  /** A connection belongs to whoever waits for longest when it is there, not to whom it was made for. */
  #connect(): void {
    this.#connecting += 1;
    let done = false;
    this.#connector(this.#target, (...[error, socket]) => {
      if (done) return;
      done = true;
      this.#connecting -= 1;
      if (error !== null) this.#failOne(error);
      else this.#open(socket);
    });
  }

  #open(socket: Socket): void {
    if (this.#closing.signal.aborted) return void socket.destroy();
    const wire = new Wire(socket, this.#origin, { onFree: (free) => this.#onFree(free), onGone: (gone) => this.#onGone(gone) });
    this.#wires.add(wire);
    this.#onFree(wire);
  }

  #failOne(error: Error): void {
    const next = this.#next();
    next?.[0].broken(egressFault(error, false, this.#secure, this.#origin));
    this.#moreIfNeeded();
    this.#retireIfIdle();
  }

  #onFree(wire: Wire): void {
    const next = this.#next();
    if (next !== null) return wire.send(next[1], next[0]);
    this.#free.push(wire);
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  #onGone(wire: Wire): void {
    this.#wires.delete(wire);
    const at = this.#free.indexOf(wire);
    if (at >= 0) this.#free.splice(at, 1);
    this.#moreIfNeeded();
    this.#retireIfIdle();
  }

  /** Whoever waits must not depend on a connection that is gone. */
  #moreIfNeeded(): void {
    if (this.#closing.signal.aborted) return;
    while (this.#waiting.size > this.#connecting && this.#wires.size + this.#connecting < this.#limits.maxConnections) this.#connect();
  }

  #takeFree(): Wire | null {
    const now = performance.now();
    // The last of the old connections goes, and the lane stays: a request is on its way into it.
    this.#sending = true;
    try {
      for (let wire = this.#free.pop(); wire !== undefined; wire = this.#free.pop()) {
        if (wire.usable(now)) return wire;
        wire.abort(this.#shuttingDown('NOTHING'));
      }
      return null;
    } finally {
      this.#sending = false;
    }
  }

  #next(): [Exchange, RequestBytes] | null {
    const next = this.#waiting.entries().next();
    if (next.done) return null;
    this.#waiting.delete(next.value[0]);
    return next.value;
  }

  #sweep(): void {
    const now = performance.now();
    for (const wire of this.#free.filter((each) => !each.usable(now))) wire.abort(this.#shuttingDown('NOTHING'));
    if (this.#wires.size === 0 && this.#sweeper !== null) {
      clearInterval(this.#sweeper);
      this.#sweeper = null;
    }
  }

  #retireIfIdle(): void {
    if (!this.#sending && this.#wires.size === 0 && this.#connecting === 0 && this.#waiting.size === 0) this.#onIdle();
  }

  #shuttingDown(sent: 'NOTHING' | 'MAYBE'): EgressError {
    return new EgressError('ABORTED', `${this.#origin}: closed`, { sent });
  }
}

/** undici's connector, with the policy inside: `net.connect` asks no look-up for literal addresses, so those are checked before it. */
function guardedConnector(policy: EgressPolicy, destination: Destination, resolve: Resolve, closing: AbortSignal): buildConnector.connector {
  const lookup = guardedLookup(policy, destination, resolve);
  const connect = makeConnector({ allowH2: false, timeout: CONNECT_TIMEOUT_MS, lookup, signal: closing });
  if (!destination.literal) return connect;
  return (options, callback) => {
    admittedAddresses(policy, destination, resolve).then(
      () => connect(options, callback),
      (error: Error) => callback(error, null),
    );
  };
}

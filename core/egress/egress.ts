import type { Logger } from '../log.js';
import { EgressError } from './errors.js';
import { Exchange, type Answer } from './exchange.js';
import { guardedFetch, type FetchLimits } from './fetch.js';
import { Lane } from './lane.js';
import { resolveBySystem, type Resolve } from './lookup.js';
import { checkUrl, type Destination, type EgressPolicy } from './policy.js';
import { NO_TRACES, type Traces } from '../traces/traces.js';
import { isRedirect, redirectTarget, withoutCredentials } from './redirect.js';
import { requestBytes } from './request-head.js';
import { EgressResponse } from './response.js';

/** One outbound request. */
export interface EgressRequest {
  url: string | URL;
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** One deadline in milliseconds over queueing, look-up, connecting, headers and body. */
  timeoutMs: number;
  signal?: AbortSignal;
  /** Of the body, after decompression. */
  maxBytes: number;
  /**
   * - `refuse` (default): a redirect is an `EgressError` `REDIRECT`.
   * - `follow`: GET only, at most five, each checked again; credentials don't go to another origin.
   * - `manual`: it is handed back as it came, for callers with rules of their own.
   */
  redirect?: 'refuse' | 'follow' | 'manual';
  /** Lower-case names of headers that don't go to another origin, besides `authorization`, `cookie` and `proxy-authorization`. */
  credentialHeaders?: string[];
  /** To an MCP server, which may be told the trace that the request belongs to, where an administrator wants that. */
  toMcpServer?: boolean;
}

/** What an {@link Egress} is built from. */
export interface EgressOptions {
  policy: EgressPolicy;
  logger?: Logger;
  /** Answers all addresses of a name; the system's resolver by default. */
  resolve?: Resolve;
  /** Per origin; 64 by default, so that one slow but popular server can serve many callers and a hostile one can't take all sockets. */
  maxConnectionsPerHost?: number;
  /** Requests that may wait per origin; 256 by default. */
  maxQueuePerHost?: number;
  /** Requests that are part of something that is followed become spans; none are by default. */
  traces?: Traces;
  /** Whether MCP servers are told the trace; false by default. */
  propagateTraces?: boolean;
}

/** How many redirects are followed. */
const MAX_REDIRECTS = 5;
/** URLs whose static check is remembered. */
const MAX_CHECKED = 1_000;
const MAX_REMEMBERED_LENGTH = 2_048;
const DEFAULT_LIMITS: FetchLimits = { timeoutMs: 30_000, maxBytes: 4 * 1024 * 1024 };

/**
 * The only way out to addresses that users give: policy on URL and address, the checked address is the dialled one, deadlines, byte caps,
 * bounded connections, redirects checked again. It never sends a request twice.
 */
export class Egress {
  /** `fetch` behind the same guard, with 30 s and 4 MiB; see {@link fetchWith}. */
  readonly fetch: typeof fetch;
  readonly #policy: EgressPolicy;
  readonly #logger: Logger | undefined;
  readonly #resolve: Resolve;
  readonly #maxConnections: number;
  readonly #maxQueue: number;
  readonly #traces: Traces;
  readonly #propagate: boolean;
  readonly #checked = new Map<string, Destination>();
  readonly #lanes = new Map<string, Lane>();
  #closed = false;

  constructor(options: EgressOptions) {
    this.#policy = { ...options.policy, denied: [...options.policy.denied] };
    this.#logger = options.logger;
    this.#resolve = options.resolve ?? resolveBySystem;
    this.#maxConnections = options.maxConnectionsPerHost ?? 64;
    this.#maxQueue = options.maxQueuePerHost ?? 256;
    this.#traces = options.traces ?? NO_TRACES;
    this.#propagate = options.propagateTraces ?? false;
    this.fetch = this.fetchWith(DEFAULT_LIMITS);
  }

  /**
   * The part of the policy that needs no resolver. A URL that passes can still be refused when it is dialled.
   * @returns the normalised URL
   * @throws {EgressError} `REFUSED`
   */
  check(url: string | URL): URL {
    return new URL(this.#destination(url).url);
  }

  /** Makes a port of ours unreachable from now on: for listeners whose port is known only once they listen. */
  forbid(port: number, host = '127.0.0.1'): void {
    this.#policy.denied.push({ host, port });
    this.#checked.clear();
    for (const [origin, lane] of this.#lanes) {
      if (this.#portOf(origin) === port) this.#retire(origin, lane);
    }
  }

  /**
   * Sends one request.
   * @throws {EgressError}
   */
  request(request: EgressRequest): Promise<EgressResponse> {
    return this.#traces.active ? this.#traced(request) : this.#start(request, request.headers);
  }

  /** `fetch` behind the same guard, with these bounds for every request. Rejects with {@link EgressError}, or with the signal's reason when that fired. */
  fetchWith(limits: FetchLimits): typeof fetch {
    return guardedFetch(this, limits);
  }

  /** How many origins have a connection or a request now. */
  get origins(): number {
    return this.#lanes.size;
  }

  /** Ends all requests (`ABORTED`) and connections. */
  async close(): Promise<void> {
    this.#closed = true;
    const lanes = [...this.#lanes.values()];
    this.#lanes.clear();
    await Promise.all(lanes.map((lane) => lane.close()));
  }

  #start(request: EgressRequest, headers: Record<string, string> | undefined): Promise<EgressResponse> {
    return this.#send(request, request.url, headers, performance.now() + request.timeoutMs, MAX_REDIRECTS);
  }

  /** A span until the head of the answer is there. Neither path nor query, which may hold secrets. https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span */
  async #traced(request: EgressRequest): Promise<EgressResponse> {
    const { url, host, port } = this.#destination(request.url);
    const facts = { 'http.request.method': request.method, 'server.address': host, 'server.port': port, 'url.scheme': url.protocol.slice(0, -1) };
    return this.#traces.span(request.method, 'CLIENT', facts, async (span) => {
      const traceparent = this.#propagate && request.toMcpServer === true ? this.#traces.traceparent : null;
      const response = await this.#start(request, traceparent === null ? request.headers : { ...request.headers, traceparent });
      span.add({ 'http.response.status_code': response.status });
      if (response.status >= 400) span.failed(String(response.status));
      return response;
    });
  }

  #destination(url: string | URL): Destination {
    const key = typeof url === 'string' ? url : url.href;
    const known = this.#checked.get(key);
    if (known) return known;
    const destination = this.#logged(() => checkUrl(this.#policy, key));
    if (key.length > MAX_REMEMBERED_LENGTH) return destination;
    if (this.#checked.size >= MAX_CHECKED) this.#checked.delete(this.#checked.keys().next().value!);
    this.#checked.set(key, destination);
    return destination;
  }

  async #send(
    request: EgressRequest, to: string | URL, headers: Record<string, string> | undefined, deadline: number, hopsLeft: number,
  ): Promise<EgressResponse> {
    const destination = this.#destination(to);
    const { url } = destination;
    const answer = await this.#exchange(destination, request, headers, deadline);
    const response = new EgressResponse(answer, url);
    if (request.redirect === 'manual' || !isRedirect(answer)) return response;
    await response.discard();
    if (request.redirect !== 'follow' || request.method !== 'GET' || hopsLeft === 0) {
      throw new EgressError('REDIRECT', `${url.origin} answered ${answer.status}`, { sent: 'MAYBE' });
    }
    const location = redirectTarget(answer, url);
    const kept = location.origin === url.origin ? headers : withoutCredentials(headers, request.credentialHeaders);
    try {
      return await this.#send(request, location, kept, deadline, hopsLeft - 1);
    } catch (error) {
      throw error instanceof EgressError ? error.afterSending() : error;
    }
  }

  async #exchange(destination: Destination, request: EgressRequest, headers: Record<string, string> | undefined, deadline: number): Promise<Answer> {
    if (this.#closed) throw new EgressError('ABORTED', 'shutting down', { sent: 'NOTHING' });
    const { url } = destination;
    const bytes = requestBytes({ path: url.pathname + url.search, host: url.host, method: request.method, headers, body: request.body });
    const exchange = new Exchange(url.origin, { deadline, maxBytes: request.maxBytes, signal: request.signal });
    this.#laneTo(destination).send(bytes, exchange);
    try {
      return await exchange.answer;
    } catch (error) {
      if (error instanceof EgressError && error.code === 'REFUSED') this.#logRefusal(error);
      throw error;
    }
  }

  #laneTo(destination: Destination): Lane {
    const { origin } = destination.url;
    const known = this.#lanes.get(origin);
    if (known) return known;
    const limits = { maxConnections: this.#maxConnections, maxQueue: this.#maxQueue };
    const lane: Lane = new Lane(this.#policy, destination, this.#resolve, limits, () => this.#retire(origin, lane));
    this.#lanes.set(origin, lane);
    return lane;
  }

  #retire(origin: string, lane: Lane): void {
    if (this.#lanes.get(origin) === lane) this.#lanes.delete(origin);
    void lane.close();
  }

  #portOf(origin: string): number {
    const url = new URL(origin);
    return Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  }

  #logged<T>(check: () => T): T {
    try {
      return check();
    } catch (error) {
      if (error instanceof EgressError) this.#logRefusal(error);
      throw error;
    }
  }

  #logRefusal(error: EgressError): void {
    this.#logger?.info({ reason: error.message }, 'egress refused');
  }
}

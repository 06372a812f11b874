import type { Egress } from '../egress/egress.js';
import type { EgressResponse } from '../egress/response.js';
import { PeerFault } from '../errors.js';
import { AnswerStream } from './answer-stream.js';
import { errorOf, isEnvelope, type Envelope } from './envelope.js';
import { rpcFault, SessionForgotten, statusFault, transportFault } from './faults.js';
import { bodyText, headerOf, mediaType } from './http-answer.js';
import { headerText } from './param-headers.js';
import { CallCancelled, type Era, type Progress } from './session.js';

/** Who we say we are in handshakes and in `_meta`. */
export interface ClientInfo {
  name: string;
  version: string;
}

/** What remains of a handshake: enough to send requests, and small enough to keep a thousand of. */
export interface ChannelOptions {
  egress: Pick<Egress, 'request'>;
  /** Where the handshake succeeded: after redirects within the origin. */
  url: string;
  /** The credential's headers: sent with every request, shown to nobody. */
  credential: Readonly<Record<string, string>>;
  era: Era;
  protocolVersion: string;
  sessionId: string | null;
  clientInfo: ClientInfo;
  /** Parses an answer once and without loss. */
  parse: (text: string) => unknown;
  /** Takes the credential out of peer text before it is quoted. */
  redact: (text: string) => string;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/** One JSON-RPC request. */
export interface RpcRequest {
  method: string;
  params?: Record<string, unknown>;
  /** What modern servers want repeated as `Mcp-Name`. */
  name?: string;
  /** `Mcp-Param-*` headers. */
  headers?: Record<string, string>;
  timeoutMs: number;
  maxBytes: number;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  onToolsChanged?: () => void;
}

/** How long, and how much, a notification, an answer to the server or a DELETE may take. */
const ASIDE_TIMEOUT_MS = 3_000;
const ASIDE_MAX_BYTES = 64 * 1024;
/**
 * Sends JSON-RPC requests to one MCP endpoint with one credential and one session, over streamable HTTP of either era:
 * https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http ,
 * https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
 */
export class Channel {
  #nextId = 1;
  readonly #asides = new Set<Promise<void>>();
  readonly #headers: Readonly<Record<string, string>>;

  constructor(readonly options: ChannelOptions) {
    this.#headers = {
      ...options.credential,
      'Content-Type': 'application/json',
      'Accept': 'application/json, text/event-stream',
      'MCP-Protocol-Version': options.protocolVersion,
      ...(options.sessionId === null ? {} : { 'Mcp-Session-Id': options.sessionId }),
    };
  }

  /**
   * Sends a request and returns its `result`, unchecked but for being an object.
   * @throws {PeerFault} see faults.ts; {@link SessionForgotten} for a 404 to our session id.
   * @throws {CallCancelled} when the signal ended it.
   */
  async request(request: RpcRequest): Promise<Envelope> {
    const id = this.#nextId++;
    const deadline = this.options.clock() + request.timeoutMs;
    try {
      const response = await this.#post(this.#body(id, request), this.#requestHeaders(request), request);
      return await this.#answer(response, id, request, deadline);
    } catch (error) {
      // Legacy servers don't take a closed connection for a cancellation; modern ones do.
      if (this.options.era === 'LEGACY' && givenUp(error)) this.notify('notifications/cancelled', { requestId: id, reason: 'The caller gave up waiting.' });
      throw error;
    }
  }

  /** Sends a notification without waiting for it; failures don't matter. {@link settle} waits for it. */
  notify(method: string, params: Record<string, unknown>): void {
    this.#aside(JSON.stringify({ jsonrpc: '2.0', method, params }));
  }

  /** Ends the session at the server, if there is one: best effort, bounded, never throws. */
  async end(): Promise<void> {
    if (this.options.sessionId !== null) {
      const { egress, url } = this.options;
      await egress.request({ url, method: 'DELETE', headers: { ...this.#headers }, timeoutMs: ASIDE_TIMEOUT_MS, maxBytes: ASIDE_MAX_BYTES, redirect: 'refuse', toMcpServer: true })
        .then((response) => response.discard()).catch(() => undefined);
    }
    await this.settle();
  }

  /** Waits for notifications and answers to the server that are still on their way; each is bounded. */
  async settle(): Promise<void> {
    await Promise.all(this.#asides);
  }

  #body(id: number, request: RpcRequest): string {
    const { era, protocolVersion, clientInfo } = this.options;
    const progress = request.onProgress === undefined ? {} : { progressToken: id };
    const meta = era === 'LEGACY' ? progress : {
      ...progress,
      'io.modelcontextprotocol/protocolVersion': protocolVersion,
      'io.modelcontextprotocol/clientInfo': clientInfo,
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const params = Object.keys(meta).length === 0 ? request.params : { ...request.params, _meta: meta };
    return JSON.stringify({ jsonrpc: '2.0', id, method: request.method, ...(params === undefined ? {} : { params }) });
  }

  #requestHeaders(request: RpcRequest): Record<string, string> {
    if (this.options.era === 'LEGACY') return { ...this.#headers };
    return {
      ...this.#headers, ...request.headers,
      'Mcp-Method': request.method,
      ...(request.name === undefined ? {} : { 'Mcp-Name': headerText(request.name) }),
    };
  }

  async #post(body: string, headers: Record<string, string>, bounds: { timeoutMs: number; maxBytes: number; signal?: AbortSignal }): Promise<EgressResponse> {
    const { egress, url } = this.options;
    try {
      return await egress.request({
        url, method: 'POST', headers, body, redirect: 'refuse', toMcpServer: true,
        timeoutMs: bounds.timeoutMs, maxBytes: bounds.maxBytes, signal: bounds.signal,
      });
    } catch (error) {
      throw transportFault(error);
    }
  }

  async #answer(response: EgressResponse, id: number, request: RpcRequest, deadline: number): Promise<Envelope> {
    const type = mediaType(response);
    if (response.status >= 300) throw await this.#refusal(response, type, request.method);
    if (type === 'text/event-stream') return this.#result(await this.#fromStream(response, id, request, deadline), request.method);
    if (type !== 'application/json') {
      await response.discard();
      throw new PeerFault('PROTOCOL_ERROR', 'The server answered neither with JSON nor with an event stream.', { status: response.status });
    }
    const answer = this.#parse(await bodyText(response));
    const envelope = Array.isArray(answer) ? answer.find((item) => isEnvelope(item) && item['id'] === id) : answer;
    if (!isEnvelope(envelope) || envelope['id'] !== id) {
      throw new PeerFault('PROTOCOL_ERROR', 'The server answered with JSON that is not the answer to our request.', { status: response.status });
    }
    return this.#result(envelope, request.method);
  }

  async #refusal(response: EgressResponse, type: string | null, method: string): Promise<PeerFault> {
    const { status } = response;
    const body = await bodyText(response);
    if (status === 404 && this.options.sessionId !== null) return new SessionForgotten(status);
    const error = type === 'application/json' && status >= 400 && status < 500 && status !== 401 && status !== 403 ? errorOf(this.#tryParse(body)) : null;
    if (error !== null) return rpcFault(error, { method, redact: this.options.redact, status });
    return statusFault({
      status, text: body, contentType: type,
      challenge: headerOf(response, 'www-authenticate'), retryAfter: headerOf(response, 'retry-after'),
    }, this.options.redact);
  }

  #fromStream(response: EgressResponse, id: number, request: RpcRequest, deadline: number): Promise<Envelope> {
    return new AnswerStream({
      era: this.options.era, id, onProgress: request.onProgress, onToolsChanged: request.onToolsChanged,
      parse: (json) => this.#parse(json),
      reply: (message) => this.#aside(JSON.stringify(message)),
      resume: (lastEventId, retryMs) => this.#resume(lastEventId, retryMs, request, deadline),
      track: (work) => this.#track(work),
    }).read(response);
  }

  /** https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#resumability-and-redelivery */
  async #resume(lastEventId: string, retryMs: number, request: RpcRequest, deadline: number): Promise<EgressResponse> {
    const { egress, url, clock } = this.options;
    const left = deadline - clock() - retryMs;
    if (left <= 0) throw new PeerFault('TIMEOUT', 'The server did not answer in time.');
    await pause(retryMs, request.signal);
    const { 'Content-Type': _none, ...headers } = this.#headers;
    let response: EgressResponse;
    try {
      response = await egress.request({
        url, method: 'GET', headers: { ...headers, 'Accept': 'text/event-stream', 'Last-Event-ID': lastEventId }, redirect: 'refuse', toMcpServer: true,
        timeoutMs: left, maxBytes: request.maxBytes, signal: request.signal,
      });
    } catch (error) {
      throw transportFault(error, true);
    }
    if (response.status === 200 && mediaType(response) === 'text/event-stream') return response;
    await response.discard();
    throw new PeerFault('UNREACHABLE', 'The server closed the connection before its answer was complete, and did not resume it.', { status: response.status });
  }

  #aside(body: string): void {
    this.#track(this.#post(body, { ...this.#headers }, { timeoutMs: ASIDE_TIMEOUT_MS, maxBytes: ASIDE_MAX_BYTES })
      .then((response) => response.discard()).catch(() => undefined));
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work.finally(() => this.#asides.delete(tracked));
    this.#asides.add(tracked);
  }

  #result(envelope: Envelope, method: string): Envelope {
    const error = errorOf(envelope);
    if (error !== null) throw rpcFault(error, { method, redact: this.options.redact });
    const result = envelope['result'];
    if (!isEnvelope(result)) throw new PeerFault('PROTOCOL_ERROR', 'The server answered without a result.');
    return result;
  }

  #parse(json: string): unknown {
    try {
      return this.options.parse(json);
    } catch {
      // No cause: a parser's message repeats the text, which may hold the credential.
      throw new PeerFault('PROTOCOL_ERROR', 'The server answered with something that is not JSON.');
    }
  }

  #tryParse(json: string): unknown {
    try {
      return this.options.parse(json);
    } catch {
      return null;
    }
  }
}

function givenUp(error: unknown): boolean {
  return (error instanceof CallCancelled && error.sent === 'MAYBE') || (error instanceof PeerFault && error.code === 'TIMEOUT' && error.sent === 'MAYBE');
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) throw new CallCancelled('MAYBE');
  await new Promise<void>((resolve, reject) => {
    const cancel = (): void => {
      clearTimeout(timer);
      reject(new CallCancelled('MAYBE'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', cancel);
      resolve();
    }, ms);
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

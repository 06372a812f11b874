import type { Egress, EgressResponse } from '../egress/egress.js';
import { PeerFault } from '../errors.js';
import { readEvents, type StreamEvent } from './event-stream.js';
import { rpcFault, SessionForgotten, statusFault, transportFault, type RpcError } from './faults.js';
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
}

type Envelope = Record<string, unknown>;

/** What is known of an answer's stream, across resumptions. */
interface StreamState {
  lastEventId: string | null;
  retryMs: number;
  /** Requests of the server that were answered. */
  served: number;
}

/** How long, and how much, a notification, an answer to the server or a DELETE may take. */
const ASIDE_TIMEOUT_MS = 3_000;
const ASIDE_MAX_BYTES = 64 * 1024;
/** Requests of the server that are answered during one request of ours; more are ignored. */
const MAX_SERVER_REQUESTS = 64;
const MAX_RESUMPTIONS = 16;
const LINGER_MS = 250;
const DEFAULT_RETRY_MS = 1_000;
const METHOD_NOT_FOUND = { code: -32601, message: 'This client offers no such method.' };

/**
 * Sends JSON-RPC requests to one MCP endpoint with one credential and one session, over streamable HTTP of either era:
 * https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http ,
 * https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
 */
export class Channel {
  #nextId = 1;
  readonly #asides = new Set<Promise<void>>();
  readonly #headers: Readonly<Record<string, string>>;
  readonly #credentialNames: string[];

  constructor(readonly options: ChannelOptions) {
    this.#credentialNames = Object.keys(options.credential);
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
      await egress.request({ url, method: 'DELETE', headers: { ...this.#headers }, timeoutMs: ASIDE_TIMEOUT_MS, maxBytes: ASIDE_MAX_BYTES, redirect: 'refuse' })
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
        url, method: 'POST', headers, body, redirect: 'refuse', credentialHeaders: this.#credentialNames,
        timeoutMs: bounds.timeoutMs, maxBytes: bounds.maxBytes, signal: bounds.signal,
      });
    } catch (error) {
      throw transportFault(error);
    }
  }

  async #answer(response: EgressResponse, id: number, request: RpcRequest, deadline: number): Promise<Envelope> {
    const type = mediaType(response);
    if (response.status >= 300) throw await this.#refusal(response, type, request.method);
    if (type === 'text/event-stream') return this.#fromStream(response, id, request, deadline);
    if (type !== 'application/json') {
      await response.discard();
      throw new PeerFault('PROTOCOL_ERROR', 'The server answered neither with JSON nor with an event stream.', { status: response.status });
    }
    const answer = this.#parse(await text(response));
    const envelope = Array.isArray(answer) ? answer.find((one) => isEnvelope(one) && one['id'] === id) : answer;
    if (!isEnvelope(envelope) || envelope['id'] !== id) {
      throw new PeerFault('PROTOCOL_ERROR', 'The server answered with JSON that is not the answer to our request.', { status: response.status });
    }
    return this.#result(envelope, request.method);
  }

  async #refusal(response: EgressResponse, type: string | null, method: string): Promise<PeerFault> {
    const { status } = response;
    const body = await text(response);
    if (status === 404 && this.options.sessionId !== null) return new SessionForgotten(status);
    const error = type === 'application/json' && status >= 400 && status < 500 && status !== 401 && status !== 403 ? errorOf(this.#tryParse(body)) : null;
    if (error !== null) return rpcFault(error, { method, redact: this.options.redact, status });
    return statusFault({
      status, text: body, contentType: type,
      challenge: one(response, 'www-authenticate'), retryAfter: one(response, 'retry-after'),
    }, this.options.redact);
  }

  /** Reads events until the answer is there, serving what the server sends in between; resumes a legacy stream that has event ids. */
  async #fromStream(response: EgressResponse, id: number, request: RpcRequest, deadline: number): Promise<Envelope> {
    const state: StreamState = { lastEventId: null, retryMs: DEFAULT_RETRY_MS, served: 0 };
    for (let stream = response, resumptions = 0; ; resumptions++) {
      const events = readEvents(stream.body);
      try {
        for (let next = await events.next(); !next.done; next = await events.next()) {
          const answer = this.#take(next.value, id, request, state);
          if (answer === null) continue;
          this.#linger(events, stream);
          return this.#result(answer, request.method);
        }
      } catch (error) {
        await stream.discard();
        const fault = transportFault(error, true);
        if (!(state.lastEventId !== null && fault instanceof PeerFault && fault.code === 'UNREACHABLE')) throw fault;
      }
      if (this.options.era === 'MODERN' || state.lastEventId === null || state.lastEventId === '' || resumptions >= MAX_RESUMPTIONS) {
        throw new PeerFault('UNREACHABLE', 'The server closed the connection before its answer was complete.');
      }
      stream = await this.#resume(state.lastEventId, state.retryMs, request, deadline);
    }
  }

  /** The answer, if this event is it. */
  #take(event: StreamEvent, id: number, request: RpcRequest, state: StreamState): Envelope | null {
    state.lastEventId = event.id;
    state.retryMs = event.retryMs ?? state.retryMs;
    if (event.data === '' || event.event !== 'message') return null;
    const message = this.#parse(event.data);
    if (!isEnvelope(message)) return null;
    if (message['method'] === undefined) return message['id'] === id ? message : null;
    if (this.#isRequest(message) && state.served++ < MAX_SERVER_REQUESTS) this.#serve(message);
    else if (message['method'] === 'notifications/progress') reportProgress(message, id, request.onProgress);
    return null;
  }

  /** Servers end the stream right after the answer; reading that end keeps the connection for the next call. */
  #linger(events: AsyncGenerator<StreamEvent>, stream: EgressResponse): void {
    const timer = setTimeout(() => void stream.discard(), LINGER_MS).unref();
    const rest = async (): Promise<void> => {
      while (!(await events.next()).done);
    };
    this.#track(rest().catch(() => undefined).finally(() => clearTimeout(timer)));
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
        url, method: 'GET', headers: { ...headers, 'Accept': 'text/event-stream', 'Last-Event-ID': lastEventId }, redirect: 'refuse',
        credentialHeaders: this.#credentialNames, timeoutMs: left, maxBytes: request.maxBytes, signal: request.signal,
      });
    } catch (error) {
      throw transportFault(error, true);
    }
    if (response.status === 200 && mediaType(response) === 'text/event-stream') return response;
    await response.discard();
    throw new PeerFault('UNREACHABLE', 'The server closed the connection before its answer was complete, and did not resume it.', { status: response.status });
  }

  #isRequest(message: Envelope): boolean {
    return typeof message['method'] === 'string' && message['id'] !== undefined && this.options.era === 'LEGACY';
  }

  /** We offer no sampling, elicitation or roots: a ping is answered, anything else is refused, so that the server doesn't wait. */
  #serve(message: Envelope): void {
    const answer = message['method'] === 'ping' ? { result: {} } : { error: METHOD_NOT_FOUND };
    this.#aside(JSON.stringify({ jsonrpc: '2.0', id: message['id'], ...answer }));
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

function isEnvelope(value: unknown): value is Envelope {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function errorOf(envelope: unknown): RpcError | null {
  if (!isEnvelope(envelope) || !isEnvelope(envelope['error'])) return null;
  const { code, message, data } = envelope['error'];
  return { code, message, data };
}

function reportProgress(message: Envelope, id: number, report: RpcRequest['onProgress']): void {
  const params = message['params'];
  if (report === undefined || !isEnvelope(params) || params['progressToken'] !== id || typeof params['progress'] !== 'number') return;
  report({
    progress: params['progress'],
    total: typeof params['total'] === 'number' ? params['total'] : null,
    message: typeof params['message'] === 'string' ? params['message'] : null,
  });
}

/** The body as text; a failure on the way leaves the outcome open, whatever had been answered before. */
async function text(response: EgressResponse): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    throw transportFault(error, true);
  }
}

/** https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1 */
function mediaType(response: EgressResponse): string | null {
  return one(response, 'content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? null;
}

function one(response: EgressResponse, name: string): string | null {
  const value = response.headers[name];
  return (Array.isArray(value) ? value.join(', ') : value) ?? null;
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

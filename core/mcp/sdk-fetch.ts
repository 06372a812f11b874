import { ReadableStream } from 'node:stream/web';
import type { Egress } from '../egress/egress.js';
import { EgressError } from '../egress/errors.js';
import { InvariantBroken, PeerFault } from '../errors.js';
import { NotMcpAnswer, rpcFault, statusFault, transportFault, type RpcError } from './faults.js';
import { CallCancelled } from './session.js';

const MAX_BYTES = 1024 * 1024;
/** https://fetch.spec.whatwg.org/#null-body-status */
const NULL_BODY = new Set([101, 204, 205, 304]);

/** What {@link SdkFetch} is told. */
export interface SdkFetchOptions {
  egress: Pick<Egress, 'request'>;
  url: string;
  credential: Readonly<Record<string, string>>;
  timeoutMs: number;
  signal?: AbortSignal;
  redact: (text: string) => string;
}

/** The last HTTP answer that an SDK saw; the body's text is kept of error answers only. */
interface Seen {
  status: number;
  contentType: string | null;
  challenge: string | null;
  retryAfter: string | null;
  text: string;
}

/**
 * The `fetch` that the SDKs get for a handshake: over egress, with the credential added where the SDK can't see it, and with GET answered here,
 * since the SDKs would hold a stream open for ever. It keeps what it saw, because the SDKs' errors don't say why.
 */
export class SdkFetch {
  #seen: Seen | null = null;
  #failure: EgressError | null = null;
  /** Where the last request went: elsewhere on the origin after a redirect. */
  #url: string;
  readonly #origin: string;

  constructor(private readonly options: SdkFetchOptions) {
    this.#url = options.url;
    this.#origin = new URL(options.url).origin;
  }

  get url(): string {
    return this.#url;
  }

  /** Never rejects with anything that holds the credential. */
  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    if (init.method === 'GET') return new Response(null, { status: 405 });
    const url = new URL(input instanceof Request ? input.url : input);
    try {
      return await this.#exchange(url, init);
    } catch (error) {
      const failure = egressError(error);
      // The SDK ends what is left when it has failed already; that is not why.
      if (failure?.code !== 'ABORTED') this.#failure = failure;
      throw error;
    }
  };

  async #exchange(url: URL, init: RequestInit): Promise<Response> {
    const { egress, credential, timeoutMs, signal } = this.options;
    const signals = [init.signal, signal].filter((one) => one != null);
    const response = await egress.request({
      url, method: init.method === 'DELETE' ? 'DELETE' : 'POST', body: typeof init.body === 'string' ? init.body : undefined,
      headers: { ...Object.fromEntries(new Headers(init.headers)), ...(url.origin === this.#origin ? credential : {}) },
      redirect: 'manual', toMcpServer: true, timeoutMs, maxBytes: MAX_BYTES, signal: signals.length === 0 ? undefined : AbortSignal.any(signals),
    });
    this.#url = url.href;
    const headers = new Headers(Object.entries(response.headers).flatMap(([name, value]) => [value ?? []].flat().map((one): [string, string] => [name, one])));
    const contentType = headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? null;
    const { status } = response;
    const seen: Seen = { status, contentType, text: '', challenge: headers.get('www-authenticate'), retryAfter: headers.get('retry-after') };
    this.#seen = seen;
    if (contentType === 'text/event-stream' && status < 300) return new Response(ReadableStream.from(response.body), { status, headers });
    const text = await response.text();
    if (status >= 400) seen.text = text;
    return new Response(NULL_BODY.has(status) ? null : text, { status, headers });
  }

  /** Why the handshake failed. The SDK's error is left behind: its message may hold what the server said, and that our credential. */
  fault(sdkError: unknown): unknown {
    const { redact, signal } = this.options;
    if (signal?.aborted) return new CallCancelled('MAYBE');
    const failure = this.#failure ?? egressError(sdkError);
    if (failure !== null) return transportFault(failure);
    const seen = this.#seen;
    if (timedOut(sdkError)) return new PeerFault('TIMEOUT', 'The server did not answer in time.');
    if (seen === null) return new InvariantBroken(`the SDK failed before any answer: ${sdkError instanceof Error ? sdkError.name : typeof sdkError}`);
    const error = seen.contentType === 'application/json' && seen.status >= 400 && seen.status < 500 && seen.status !== 401 && seen.status !== 403
      ? rpcError(seen.text) : null;
    if (error !== null) return rpcFault(error, { method: 'initialize', redact, status: seen.status });
    if (seen.status >= 300) return statusFault(seen, redact);
    const answered = rpcErrorOfSdk(sdkError);
    if (answered !== null) return rpcFault(answered, { method: 'initialize', redact });
    return new NotMcpAnswer(seen.contentType, 'The server answered, but not in the Model Context Protocol.', { status: seen.status });
  }
}

/** An SDK or `fetch` may wrap the error that egress threw. */
function egressError(error: unknown): EgressError | null {
  for (let at = error, depth = 0; at != null && depth < 5; at = (at as { cause?: unknown }).cause, depth++) if (at instanceof EgressError) return at;
  return null;
}

/** Both SDKs: v1 `McpError` -32001, v2 `SdkError` REQUEST_TIMEOUT. */
function timedOut(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === -32001 || code === 'REQUEST_TIMEOUT';
}

function rpcErrorOfSdk(error: unknown): RpcError | null {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return typeof code === 'number' && code <= -32000 ? { code, message } : null;
}

function rpcError(text: string): RpcError | null {
  try {
    const { error } = JSON.parse(text) as { error?: RpcError };
    return error !== null && typeof error === 'object' ? error : null;
  } catch {
    return null;
  }
}

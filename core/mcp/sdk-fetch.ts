import type { Egress } from '../egress/egress.js';
import { EgressError } from '../egress/errors.js';
import { InvariantBroken, PeerFault } from '../errors.js';
import { NotMcpAnswer, rpcFault, statusFault, transportFault, type RpcError } from './faults.js';
import { CallCancelled } from './session.js';

const MAX_BYTES = 1024 * 1024;

/** What {@link SdkFetch} is told. */
export interface SdkFetchOptions {
  egress: Pick<Egress, 'fetchWith'>;
  url: string;
  credential: Readonly<Record<string, string>>;
  timeoutMs: number;
  signal?: AbortSignal;
  redact: (text: string) => string;
}

/** The last HTTP answer that an SDK saw. */
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
  readonly #fetch: typeof fetch;

  constructor(private readonly options: SdkFetchOptions) {
    this.#url = options.url;
    this.#fetch = options.egress.fetchWith({ timeoutMs: options.timeoutMs, maxBytes: MAX_BYTES });
  }

  get url(): string {
    return this.#url;
  }

  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    if (init.method === 'GET') return new Response(null, { status: 405 });
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init.headers);
    if (url.origin === new URL(this.options.url).origin) for (const [name, value] of Object.entries(this.options.credential)) headers.set(name, value);
    const signals = [init.signal, this.options.signal].filter((signal) => signal != null);
    let response: Response;
    try {
      response = await this.#fetch(url, { ...init, headers, signal: signals.length === 0 ? undefined : AbortSignal.any(signals) });
    } catch (error) {
      this.#failure = egressError(error);
      throw error;
    }
    this.#url = url.href;
    return this.#look(response);
  };

  /** Reads error answers whole, so that their text can be quoted, and hands on a copy. */
  async #look(response: Response): Promise<Response> {
    const { status, headers } = response;
    let body = '';
    if (status >= 400) {
      try {
        body = await response.text();
      } catch (error) {
        this.#failure = egressError(error);
        throw error;
      }
    }
    this.#seen = {
      status, text: body, contentType: headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? null,
      challenge: headers.get('www-authenticate'), retryAfter: headers.get('retry-after'),
    };
    return status >= 400 ? new Response(body, { status, statusText: response.statusText, headers }) : response;
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
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) if (at instanceof EgressError) return at;
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

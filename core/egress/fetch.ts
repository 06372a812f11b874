import { Readable } from 'node:stream';
import type { Egress, EgressRequest, EgressResponse } from './egress.js';

/** The bounds of every request that a derived `fetch` makes. */
export interface FetchLimits {
  /** Over everything, body included. */
  timeoutMs: number;
  /** Of the decompressed body. */
  maxBytes: number;
}

const METHODS: readonly string[] = ['GET', 'POST', 'PUT', 'DELETE'];
/** Statuses whose answers have no body, in the sense of the [fetch standard](https://fetch.spec.whatwg.org/#null-body-status). */
const NULL_BODY: readonly number[] = [204, 205, 304];
/** What may go to another origin: with libraries we can't know which of their headers is a credential. */
const HARMLESS_HEADERS: readonly string[] = ['accept', 'accept-language', 'content-type', 'mcp-protocol-version', 'user-agent'];

/**
 * A `fetch` for libraries (the MCP SDKs, oauth4webapi) that goes out through an {@link Egress}. It differs from the standard's where that
 * is safer: only GET redirects are followed, and `redirect: 'manual'` hands the redirect back readable, as Node's does.
 */
export function guardedFetch(egress: Egress, limits: FetchLimits): typeof fetch {
  return async (input, init) => {
    // Before `Request` sees it: its complaints quote the URL.
    egress.check(input instanceof Request ? input.url : input);
    const request = new Request(input, init);
    if (!METHODS.includes(request.method)) throw new TypeError(`method ${request.method} is not supported`);
    const headers = Object.fromEntries(request.headers);
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    const response = await egress.request({
      url: request.url,
      method: request.method as EgressRequest['method'],
      headers,
      body: request.body ? Buffer.from(await request.arrayBuffer()) : undefined,
      signal,
      redirect: redirectMode(request.redirect),
      credentialHeaders: Object.keys(headers).filter((name) => !HARMLESS_HEADERS.includes(name)),
      ...limits,
    }).catch((error: unknown) => { throw signal?.aborted ? signal.reason : error; });
    return toResponse(response);
  };
}

function redirectMode(mode: Request['redirect']): EgressRequest['redirect'] {
  if (mode === 'error') return 'refuse';
  return mode === 'manual' ? 'manual' : 'follow';
}

async function toResponse(answer: EgressResponse): Promise<Response> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headers)) {
    for (const one of [value ?? []].flat()) headers.append(name, one);
  }
  const empty = NULL_BODY.includes(answer.status);
  if (empty) await answer.discard();
  const response = new Response(empty ? null : Readable.toWeb(answer.body) as ReadableStream, { status: answer.status, headers });
  Object.defineProperty(response, 'url', { value: answer.url.href });
  return response;
}

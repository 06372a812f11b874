import type { Readable } from 'node:stream';
import type { Egress, EgressRequest } from './egress.js';
import type { EgressResponse } from './response.js';

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
    return toResponse(response, request.url);
  };
}

function redirectMode(mode: Request['redirect']): EgressRequest['redirect'] {
  if (mode === 'error') return 'refuse';
  return mode === 'manual' ? 'manual' : 'follow';
}

async function toResponse(answer: EgressResponse, asked: string): Promise<Response> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(answer.headers)) {
    for (const one of [value ?? []].flat()) headers.append(name, one);
  }
  const empty = NULL_BODY.includes(answer.status);
  if (empty) await answer.discard();
  const response = new Response(empty ? null : webStream(answer.body), { status: answer.status, headers });
  const url = answer.url.href;
  // The constructor has no way to say where an answer came from.
  return Object.defineProperties(response, { url: { value: url }, redirected: { value: url !== asked } });
}

/** Not `Readable.toWeb`: that throws past everybody ("Controller is already closed") when a stream is cancelled whose end was buffered already. */
function webStream(body: Readable): ReadableStream<Uint8Array> {
  const chunks = body.iterator({ destroyOnReturn: true });
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await chunks.next() as IteratorResult<Buffer>;
      if (done) controller.close();
      else controller.enqueue(new Uint8Array(value.buffer, value.byteOffset, value.length));
    },
    cancel() {
      body.destroy();
    },
  }, { highWaterMark: 0 });
}

import { EgressError } from './errors.js';

/** What is sent: a head, and a body whose length the head says. */
export interface Outgoing {
  method: string;
  /** Path and query, as a URL has them. */
  path: string;
  /** Host and port, as a URL has them. */
  host: string;
  headers: Record<string, string> | undefined;
  body: string | Buffer | undefined;
}

/** https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2 */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** https://www.rfc-editor.org/rfc/rfc9110#section-5.5 */
const NOT_A_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const NOT_A_PATH = /[^\x21-\x7e]/;
/** They are about the connection, which is ours to steer; or they frame the body. */
const NOT_TO_BE_SET: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'upgrade', 'expect', 'transfer-encoding', 'content-length', 'trailer']);
const HAS_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/**
 * The bytes of one HTTP/1.1 request, in one piece, so that they go out with one write. Compression isn't asked for. `Host` would let a caller reach another
 * virtual host than the one that was checked.
 * https://www.rfc-editor.org/rfc/rfc9112#section-3
 * @throws {EgressError} `REFUSED` for what isn't valid HTTP, or isn't the caller's to say
 */
export function requestBytes({ method, path, host, headers, body }: Outgoing): { bytes: string | Buffer; latin1: boolean } {
  if (NOT_A_PATH.test(path) || !TOKEN.test(method)) throw invalid('the request line');
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\naccept-encoding: identity\r\n`;
  let named = false;
  for (const name in headers) {
    const lower = name.toLowerCase();
    if (lower === 'accept-encoding') continue;
    if (lower === 'host') throw new EgressError('REFUSED', 'a Host header', { sent: 'NOTHING', publicMessage: 'the Host header cannot be set' });
    const value = String(headers[name]);
    if (!TOKEN.test(name) || NOT_A_VALUE.test(value) || NOT_TO_BE_SET.has(lower)) throw invalid(`the header ${JSON.stringify(lower.slice(0, 50))}`);
    if (lower === 'user-agent') named = true;
    head += `${name}: ${value}\r\n`;
  }
  if (!named) head += 'user-agent: fairlead\r\n';
  if (body === undefined) return { bytes: `${head}${HAS_BODY.has(method) ? 'content-length: 0\r\n' : ''}\r\n`, latin1: true };
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  head += `content-length: ${length}\r\n\r\n`;
  // As many bytes as characters: it is ASCII, and needs no copy of its own.
  if (typeof body === 'string' && length === body.length) return { bytes: head + body, latin1: true };
  return { bytes: Buffer.concat([Buffer.from(head, 'latin1'), typeof body === 'string' ? Buffer.from(body) : body]), latin1: false };
}

function invalid(what: string): EgressError {
  return new EgressError('REFUSED', `${what} is not valid HTTP`, { sent: 'NOTHING', publicMessage: 'a header or the path is not valid HTTP' });
}

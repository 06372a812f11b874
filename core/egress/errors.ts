/**
 * Why an outbound request failed.
 *
 * | code | |
 * |---|---|
 * | `REFUSED` | our policy (or an invalid URL or header) stopped it: nothing will change by trying again |
 * | `DNS` | the host name has no address, or the resolver failed |
 * | `CONNECT` | no TCP connection: refused, unreachable, or not made in time |
 * | `TLS` | the TLS handshake failed: certificate, protocol, or the server hung up during it |
 * | `TIMEOUT` | the caller's deadline passed, in whatever phase |
 * | `ABORTED` | the caller's signal, or {@link Egress.close} |
 * | `RESET` | the connection broke after the request was begun |
 * | `TOO_LARGE` | more bytes than the caller admits, after decompression; or oversized response headers |
 * | `REDIRECT` | a redirect that isn't followed, or too many of them |
 * | `BUSY` | too many requests wait for this host |
 * | `PROTOCOL` | the answer is not HTTP, or its compression is unknown or broken |
 */
export const EGRESS_CODES = [
  'REFUSED', 'DNS', 'CONNECT', 'TLS', 'TIMEOUT', 'ABORTED', 'RESET', 'TOO_LARGE', 'REDIRECT', 'BUSY', 'PROTOCOL',
] as const;
export type EgressCode = (typeof EGRESS_CODES)[number];

/** The one thing that is ever said about an address that policy refuses; it must not tell why, or whether anything lives there. */
export const REFUSED_BY_POLICY = 'refused by policy: not a public HTTPS address; an administrator may allow it with FAIRLEAD_EGRESS_ALLOW';

const PUBLIC_MESSAGES: Record<EgressCode, string> = {
  REFUSED: REFUSED_BY_POLICY,
  DNS: 'the host name could not be resolved',
  CONNECT: 'no connection could be made to the server',
  TLS: 'no secure connection could be made to the server; check its certificate',
  TIMEOUT: 'the server did not answer in time',
  ABORTED: 'the request was cancelled',
  RESET: 'the server closed the connection before its answer was complete',
  TOO_LARGE: 'the answer is larger than allowed',
  REDIRECT: 'the server answered with a redirect that is not followed; use the final URL',
  BUSY: 'too many requests are waiting for this server; try again later',
  PROTOCOL: 'the answer is not valid HTTP',
};

/** Whether the server can have seen any of a request. `NOTHING` only if provably no byte of it was written. */
export type Sent = 'NOTHING' | 'MAYBE';

/** Optional evidence of an {@link EgressError}. */
export interface EgressErrorOptions {
  sent: Sent;
  /** Replaces the code's default; must say nothing about a refused address and hold neither userinfo nor query. */
  publicMessage?: string;
  cause?: unknown;
}

/** An outbound request that didn't succeed. `message` is internal (logs only); it may name hosts and addresses, never userinfo or query. */
export class EgressError extends Error {
  override readonly name = 'EgressError';
  readonly publicMessage: string;
  readonly sent: Sent;
  readonly #detail: string;
  constructor(readonly code: EgressCode, detail: string, options: EgressErrorOptions) {
    super(`${code}: ${detail}`, { cause: options.cause });
    this.#detail = detail;
    this.publicMessage = options.publicMessage ?? PUBLIC_MESSAGES[code];
    this.sent = options.sent;
  }

  /** The same failure on the way to a later hop: something was sent before it. */
  afterSending(): EgressError {
    return this.sent === 'MAYBE' ? this : new EgressError(this.code, this.#detail, { sent: 'MAYBE', publicMessage: this.publicMessage, cause: this.cause });
  }
}

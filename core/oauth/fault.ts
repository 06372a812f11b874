import { EgressError } from '../egress/errors.js';

/**
 * How a request to an authorization server failed, and what that says about what was presented (a code, a refresh token, a client).
 *
 * | code | what was presented | what helps |
 * |---|---|---|
 * | `INVALID_GRANT` | is dead | consent again |
 * | `INVALID_CLIENT` | was not looked at: the client is unknown or its secret is wrong | register anew, or correct the client |
 * | `ACCESS_DENIED` | (authorization) the person, or the server for them, said no | consent again, if they want to |
 * | `REFUSED` | was refused in so many words; nothing was issued | what the server says |
 * | `TEMPORARY` | provably not consumed: no connection, 429, 503 | the same again, later |
 * | `OUTCOME_UNKNOWN` | may be consumed: it was sent, and no readable answer came | design section 7: at most once more |
 * | `INVALID_ANSWER` | may be consumed: the answer was read, and can't be used | tell the server's operator |
 * | `ISSUER_MISMATCH` | nothing was presented: the answer comes from another issuer | start again; if it persists, tell the server's operator |
 * | `REFUSED_BY_POLICY` | nothing left: our egress policy refused the address | an administrator may allow it |
 * | `UNSUPPORTED` | nothing left: the server doesn't offer this, or wants what we don't do | another way |
 */
export const OAUTH_FAULT_CODES = [
  'INVALID_GRANT', 'INVALID_CLIENT', 'ACCESS_DENIED', 'REFUSED', 'TEMPORARY', 'OUTCOME_UNKNOWN', 'INVALID_ANSWER', 'ISSUER_MISMATCH', 'REFUSED_BY_POLICY', 'UNSUPPORTED',
] as const;
export type OAuthFaultCode = (typeof OAUTH_FAULT_CODES)[number];

/** Optional evidence of an {@link OAuthFault}. */
export interface OAuthFaultOptions {
  /** HTTP status, where there was an answer. */
  status?: number;
  /** The peer's error code, of RFC 6749 or another, as it came; for decisions only, never for display. */
  error?: string;
  retryAfterMs?: number | null;
  /** Never an error of a library that keeps bodies or parameters. */
  cause?: EgressError;
}

/** The authorization server's mistake, refusal or failure. `publicMessage` says the next step, quotes the peer, and holds nothing that we sent. */
export class OAuthFault extends Error {
  override readonly name = 'OAuthFault';
  readonly status: number | null;
  readonly error: string | null;
  readonly retryAfterMs: number | null;
  constructor(readonly code: OAuthFaultCode, readonly publicMessage: string, options: OAuthFaultOptions = {}) {
    super(`${code}: ${publicMessage}`, { cause: options.cause });
    this.status = options.status ?? null;
    this.error = options.error ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }

  /** Whether what was presented may be presented again, unchanged and without a person. */
  get retryable(): boolean {
    return this.code === 'TEMPORARY';
  }
}

/** What went wrong on the way, as an {@link OAuthFault}; anything but an {@link EgressError} is returned as it is. */
export function transportFault(error: unknown, peer: string): unknown {
  if (!(error instanceof EgressError)) return error;
  if (error.code === 'REFUSED') return new OAuthFault('REFUSED_BY_POLICY', `${peer}: ${error.publicMessage}.`, { cause: error });
  const code = error.sent === 'NOTHING' ? 'TEMPORARY' : 'OUTCOME_UNKNOWN';
  return new OAuthFault(code, `${peer}: ${error.publicMessage}.`, { cause: error });
}

/** Why it can't be said who is calling: nobody valid, or the issuer can't be asked. */
export type IdentityFaultCode = 'UNAUTHENTICATED' | 'IDENTITY_UNAVAILABLE';

/** Optional evidence of an {@link IdentityFault}. */
export interface IdentityFaultOptions {
  /** What was wrong, for logs only: it never names keys or claims to the client. */
  internal?: string;
  /** True when no credential was sent at all: the challenge then carries no error, RFC 6750 section 3.1. */
  missing?: boolean;
  cause?: unknown;
}

/**
 * The caller could not be identified. `publicMessage` says the next step and nothing about keys. `extensions` is read by
 * GraphQL and Apollo: UNAUTHENTICATED is HTTP 401 with a challenge, IDENTITY_UNAVAILABLE is 503 and worth a retry.
 * https://www.rfc-editor.org/rfc/rfc6750#section-3
 */
export class IdentityFault extends Error {
  override readonly name = 'IdentityFault';
  readonly extensions: { code: IdentityFaultCode; http: { status: number; headers: Map<string, string> } };

  constructor(readonly code: IdentityFaultCode, readonly publicMessage: string, options: IdentityFaultOptions = {}) {
    super(`${code}: ${options.internal ?? publicMessage}`, { cause: options.cause });
    const challenge = options.missing ? 'Bearer' : 'Bearer error="invalid_token"';
    this.extensions = {
      code,
      http: code === 'UNAUTHENTICATED'
        ? { status: 401, headers: new Map([['www-authenticate', challenge]]) }
        : { status: 503, headers: new Map([['retry-after', '5']]) },
    };
  }
}

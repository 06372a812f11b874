import { OAuthFault } from './fault.js';
import { isHeaderSafe } from './header-safe.js';
import { properScopes } from './scopes.js';

/** What a token endpoint gave. Holds secrets. */
export interface TokenSet {
  accessToken: string;
  /** Null where there is none: then only consent renews the login. */
  refreshToken: string | null;
  tokenType: 'Bearer';
  /** Granted, as far as the server says; else as requested. */
  scopes: string[];
  /** By our clock, counted from when the request was sent; null where the server doesn't say: then only a 401 tells. */
  expiresAt: Date | null;
  /** By our clock: when the request was sent. */
  obtainedAt: Date;
}

/** What an answer is read against. */
export interface TokenContext {
  /** Who answered: begins a sentence. */
  peer: string;
  status: number;
  sentAt: Date;
  requestedScopes: readonly string[];
  /** What stays in force where the answer brings none. */
  refreshToken: string | null;
}

/**
 * Reads a token answer, leniently where real servers err: null members, a missing `token_type`, `expires_in` as text, zero or missing, scopes with commas or as a list.
 * The server's clock plays no part, so that a skew does no harm.
 * https://www.rfc-editor.org/rfc/rfc6749#section-5.1
 * @throws {OAuthFault} `INVALID_ANSWER` where there is no bearer token in it that could be sent
 */
export function readTokenSet(json: Record<string, unknown>, context: TokenContext): TokenSet {
  const { peer, status, sentAt } = context;
  const { access_token: accessToken, token_type: type, refresh_token: refreshToken } = json;
  if (typeof accessToken !== 'string' || accessToken === '') throw new OAuthFault('INVALID_ANSWER', `${peer} answered without an access token.`, { status });
  if (!isHeaderSafe(accessToken)) throw new OAuthFault('INVALID_ANSWER', `${peer} answered with an access token that can't be sent in a header.`, { status });
  if (typeof type === 'string' && type !== '' && type.toLowerCase() !== 'bearer') {
    throw new OAuthFault('INVALID_ANSWER', `${peer} answered with a token of a type that is not supported; only Bearer is.`, { status });
  }
  const lifetime = seconds(json.expires_in);
  return {
    accessToken, refreshToken: typeof refreshToken === 'string' && refreshToken !== '' ? refreshToken : context.refreshToken, tokenType: 'Bearer',
    scopes: scopesOf(json.scope) ?? [...context.requestedScopes], expiresAt: lifetime === null ? null : new Date(sentAt.getTime() + lifetime * 1000), obtainedAt: sentAt,
  };
}

/** Ten years: whoever promises more means "for ever", and no date overflows. */
const MAX_LIFETIME = 315_360_000;

/** Zero and less are what servers say whose tokens don't expire: a token that is over before it is used would be no use to anybody. */
function seconds(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && number > 0 ? Math.min(number, MAX_LIFETIME) : null;
}

/** GitHub separates with commas, others send a list. */
function scopesOf(value: unknown): string[] | null {
  if (Array.isArray(value)) return properScopes(value);
  if (typeof value !== 'string') return null;
  const scopes = value.split(/\s+/).filter((scope) => scope !== '');
  return properScopes(scopes.length === 1 ? scopes[0]!.split(',') : scopes);
}

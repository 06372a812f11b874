import * as oauth from 'oauth4webapi';
import { quotePeer } from '../errors.js';
import { clientAuthentication } from './client-authentication.js';
import { OAuthFault } from './fault.js';
import { refusal } from './refusal.js';
import type { TokenParties } from './token-request.js';
import type { TokenSet } from './token-set.js';
import { ask, requestOptions } from './transport.js';

/** What became of tokens that were to be revoked. */
export interface Revocation {
  /** `NOT_SUPPORTED`: the server offers no way; what remains ends by itself, or by the person's hand in the server's own settings. */
  outcome: 'REVOKED' | 'NOT_SUPPORTED' | 'FAILED';
  /** `FAILED` only: whether it is worth trying again. Revocation may be repeated. */
  retryable: boolean;
  retryAfterMs: number | null;
  /** For people; quotes the peer, and holds no token. */
  message: string;
}

/** Whose tokens. */
export interface RevocationRequest extends Omit<TokenParties, 'now' | 'discovery'> {
  discovery: Pick<TokenParties['discovery'], 'issuer' | 'metadata'>;
  tokens: Pick<TokenSet, 'accessToken' | 'refreshToken'>;
}

/**
 * Revokes a login at its provider: the refresh token first, since an access token ends by itself; then the access token, since not every server ends it with its refresh token.
 * Never throws for what the server does. https://www.rfc-editor.org/rfc/rfc7009#section-2
 */
export async function revokeTokens(request: RevocationRequest): Promise<Revocation> {
  const { discovery: { issuer, metadata }, tokens } = request;
  const peer = `The revocation endpoint of ${quotePeer(issuer)}`;
  if (metadata.revocation_endpoint === undefined) {
    return { outcome: 'NOT_SUPPORTED', retryable: false, retryAfterMs: null, message: `${quotePeer(issuer)} offers no revocation. The login can be ended in its own settings.` };
  }
  const first = tokens.refreshToken === null ? null : await revoke(request, peer, tokens.refreshToken, 'refresh_token');
  if (first !== null && first.outcome !== 'REVOKED') return first;
  const second = await revoke(request, peer, tokens.accessToken, 'access_token');
  // "I don't revoke access tokens" is said by servers that have just ended the login with its refresh token.
  return first !== null && second.outcome === 'NOT_SUPPORTED' ? first : second;
}

async function revoke({ discovery: { metadata }, client, transport }: RevocationRequest, peer: string, token: string, hint: 'refresh_token' | 'access_token'): Promise<Revocation> {
  try {
    const options = { ...requestOptions(transport, metadata.revocation_endpoint!, peer), additionalParameters: { token_type_hint: hint } };
    const answer = await ask(() => oauth.revocationRequest(metadata, { client_id: client.clientId }, clientAuthentication(client), token, options), peer);
    // 204 is not what RFC 7009 says, and what some servers send. A token that is unknown counts as revoked.
    if (answer.status === 200 || answer.status === 204) return { outcome: 'REVOKED', retryable: false, retryAfterMs: null, message: `The login was revoked at ${quotePeer(metadata.issuer)}.` };
    throw refusal(answer, peer, [token, client.clientSecret]);
  } catch (error) {
    if (!(error instanceof OAuthFault)) throw error;
    if (error.error === 'unsupported_token_type') return { outcome: 'NOT_SUPPORTED', retryable: false, retryAfterMs: null, message: error.publicMessage };
    return { outcome: 'FAILED', retryable: error.code === 'TEMPORARY' || error.code === 'OUTCOME_UNKNOWN', retryAfterMs: error.retryAfterMs, message: error.publicMessage };
  }
}

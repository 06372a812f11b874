import * as oauth from 'oauth4webapi';
import { requestTokens, type TokenParties } from './token-request.js';
import type { TokenSet } from './token-set.js';

/** What is refreshed. */
export interface RefreshRequest extends TokenParties {
  refreshToken: string;
  /** Granted so far: stays so where the answer doesn't say. */
  scopes: readonly string[];
}

/**
 * Presents a refresh token, once. Where the answer brings no new one, the old one stays in force. Record the attempt before, and store the answer before its access token is used (design section 7).
 * https://www.rfc-editor.org/rfc/rfc6749#section-6
 * @throws {OAuthFault} `INVALID_GRANT`: the login is over; `INVALID_CLIENT`: the client is unknown, the token wasn't looked at; `TEMPORARY`: provably not consumed;
 * `OUTCOME_UNKNOWN`, `INVALID_ANSWER`: perhaps consumed; `REFUSED`: in the server's words
 */
export function refreshTokens({ refreshToken, scopes, ...parties }: RefreshRequest): Promise<TokenSet> {
  const { metadata } = parties.discovery;
  return requestTokens(parties, {
    // No `scope`: the server keeps to what was granted.
    send: (client, authentication, options) => oauth.refreshTokenGrantRequest(metadata, client, authentication, refreshToken, options),
    process: (client, response) => oauth.processRefreshTokenResponse(metadata, client, response),
    requestedScopes: scopes, refreshToken, secrets: [refreshToken],
  });
}

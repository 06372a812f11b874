import * as oauth from 'oauth4webapi';
import type { Discovery } from './discovery.js';

/** Whose consent is asked for, and what for. */
export interface AuthorizationRequest {
  discovery: Pick<Discovery, 'issuer' | 'resource' | 'metadata'>;
  clientId: string;
  redirectUri: string;
  /** From {@link scopesToRequest}. */
  scopes: readonly string[];
  /** The consent page shows even if consent was given before: for consent again after a login went bad. Always so with `offline_access`, for which OpenID Connect demands it. */
  prompt?: 'consent';
}

/** What the callback needs, and nobody else: to be sealed. Plain data. */
export interface PendingAuthorization {
  codeVerifier: string;
  /** The callback's `iss` is compared with it, and the code goes to this issuer only. */
  issuer: string;
  clientId: string;
  redirectUri: string;
  resource: string;
  scopes: string[];
}

/** Where to send the person. */
export interface AuthorizationStart {
  /** For the browser's address bar: holds `state`, not the verifier. http(s) only. */
  url: string;
  /** Single-use: store its hash only. */
  state: string;
  pending: PendingAuthorization;
}

/**
 * Builds the request for consent: code flow with PKCE S256, `state`, and the RFC 8707 `resource`. Sends nothing.
 * https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1 , https://www.rfc-editor.org/rfc/rfc7636#section-4.3
 */
export async function startAuthorization({ discovery: { issuer, resource, metadata }, clientId, redirectUri, scopes, prompt }: AuthorizationRequest): Promise<AuthorizationStart> {
  const codeVerifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  // Discovery admits nothing else than http(s) here; what was stored long ago is looked at again.
  const url = new URL(metadata.authorization_endpoint);
  oauth.checkProtocol(url, false);
  const parameters = {
    response_type: 'code', client_id: clientId, redirect_uri: redirectUri, state, resource,
    code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier), code_challenge_method: 'S256',
    ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}), ...(prompt === 'consent' || scopes.includes('offline_access') ? { prompt: 'consent' } : {}),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { url: url.href, state, pending: { codeVerifier, issuer, clientId, redirectUri, resource, scopes: [...scopes] } };
}

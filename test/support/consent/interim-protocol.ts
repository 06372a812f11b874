import * as oauth from 'oauth4webapi';
import type { AuthorizationProtocol } from '#api/consent/protocol.js';
import type { OAuthTransport } from '#core/oauth/transport.js';
import { requestOptions } from '#core/oauth/transport.js';
import { OAuthFault } from '#core/oauth/fault.js';
export function interimProtocol(transport: OAuthTransport): AuthorizationProtocol {
  return {
    async begin({ client, discovery }, { redirectUri, scopes }) {
      const verifier = oauth.generateRandomCodeVerifier(); const state = oauth.generateRandomState();
      const url = new URL(discovery.metadata['authorization_endpoint'] as string);
      for (const [k, v] of Object.entries({ response_type: 'code', client_id: client.clientId, redirect_uri: redirectUri, state, resource: discovery.resource, code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' })) url.searchParams.set(k, v);
      if (scopes.length > 0) url.searchParams.set('scope', scopes.join(' '));
      return { url: url.href, state, verifier };
    },
    async finish({ client, discovery }, { parameters, redirectUri, state, verifier }) {
      const as = discovery.metadata as unknown as oauth.AuthorizationServer; const c = { client_id: client.clientId };
      try {
        const ok = oauth.validateAuthResponse(as, c, parameters, state);
        const auth = client.clientSecret === null ? oauth.None() : oauth.ClientSecretPost(client.clientSecret);
        const r = await oauth.authorizationCodeGrantRequest(as, c, auth, ok, redirectUri, verifier, { ...requestOptions(transport, as.token_endpoint!, 'x') as object, additionalParameters: { resource: discovery.resource } });
        const t = await oauth.processAuthorizationCodeResponse(as, c, r);
        return { accessToken: t.access_token, refreshToken: t.refresh_token ?? null, scopes: t.scope?.split(' ') ?? null, expiresInSeconds: t.expires_in ?? null };
      } catch (e) {
        if (e instanceof oauth.AuthorizationResponseError) throw new OAuthFault(e.error === 'access_denied' ? 'ACCESS_DENIED' : 'REFUSED', `said ${e.error} ${e.error_description ?? ''}`);
        throw new OAuthFault(String((e as Error).message).includes('iss') ? 'ISSUER_MISMATCH' : 'REFUSED', `failed ${(e as Error).message}`);
      }
    },
  };
}

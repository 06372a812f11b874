import { currentTarget } from '#core/connection/target.js';
import { hashOf, newSecret } from './one-time-secret.js';
import type { ConsentParts } from './parts.js';
import type { Situation } from './situation.js';
import type { OAuthSetup, SealedFlow } from './protocol.js';

/** How long the person may take at the provider. */
export const SENT_LIFETIME_MS = 10 * 60_000;

/** Where to send the browser, and what it has to bring back. */
export interface Sent {
  url: string;
  state: string;
  /** The cookie's value; only its hash is stored. */
  cookie: string;
}

/** Sends a person to the provider, once for each link. */
export class AuthorizationSender {
  constructor(private readonly parts: ConsentParts) {}

  /**
   * Builds the authorization request and puts it on record: PKCE verifier sealed, `state` and cookie as hashes. Null when the link was used or replaced meanwhile.
   * @throws {OAuthFault} when the provider can't be sent to
   */
  async send({ authorization, type }: Situation, setup: OAuthSetup, scopes: readonly string[]): Promise<Sent | null> {
    const { protocol, publicUrl, store, vault } = this.parts;
    const redirectUri = `${publicUrl()}/oauth/callback`;
    const { url, state, verifier } = await protocol.begin(setup, { redirectUri, scopes });
    const cookie = newSecret();
    const flow: SealedFlow = { verifier, redirectUri, target: currentTarget(type.spec) };
    const sealed = await vault.seal(authorization.teamId, flowContext(authorization.id), JSON.stringify(flow));
    const sent = await store.oauthAuthorizations.transition(authorization.id, 'LINKED', {
      state: 'SENT', cookieHash: hashOf(cookie), stateHash: hashOf(state), sealed, clientId: setup.clientRowId, issuer: setup.discovery.issuer, scopes: [...scopes],
    }, SENT_LIFETIME_MS);
    return sent ? { url, state, cookie } : null;
  }
}

/** Where a flow is sealed. */
export function flowContext(authorizationId: string) {
  return { table: 'oauth_authorizations', column: 'sealed', rowId: authorizationId, version: 0 };
}

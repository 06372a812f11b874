import { currentTarget } from '#core/connection/target.js';
import { startAuthorization } from '#core/oauth/authorization.js';
import type { OAuthSetup } from '#core/upkeep/type-oauth.js';
import { sealFlow } from './flow.js';
import { hashOf, newSecret } from './one-time-secret.js';
import type { ConsentParts } from './parts.js';
import type { Situation } from './situation.js';

/** How long the person may take at the provider. */
const SENT_LIFETIME_MS = 10 * 60_000;

/** Where to send the browser, and what it has to bring back. */
export interface Sent {
  url: string;
  state: string;
  /** The cookie's value; only its hash is stored. */
  cookie: string;
}

/** Sends a person to the provider, once for each link. */
export class AuthorizationSender {
  constructor(private readonly parts: Pick<ConsentParts, 'publicUrl' | 'store' | 'vault'>) {}

  /** Builds the authorization request and puts it on record: PKCE verifier sealed, `state` and cookie as hashes. Null when the link was used or replaced meanwhile. */
  async send({ authorization, grant, type }: Situation, { client, clientRowId, discovery }: OAuthSetup, scopes: readonly string[]): Promise<Sent | null> {
    const { publicUrl, store, vault } = this.parts;
    const { url, state, pending } = await startAuthorization({
      discovery, clientId: client.clientId, redirectUri: `${publicUrl()}/oauth/callback`, scopes,
      // Some providers give a refresh token with the first consent only, unless they are made to ask again.
      ...(grant?.obtainedAt == null ? {} : { prompt: 'consent' }),
    });
    const cookie = newSecret();
    const sealed = await sealFlow(vault, authorization, { pending, target: currentTarget(type.spec) });
    const sent = await store.oauthAuthorizations.transition(authorization.id, 'LINKED', {
      state: 'SENT', cookieHash: hashOf(cookie), stateHash: hashOf(state), sealed, clientId: clientRowId, issuer: discovery.issuer, scopes: [...scopes],
    }, SENT_LIFETIME_MS);
    return sent ? { url, state, cookie } : null;
  }
}

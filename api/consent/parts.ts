import type { Logger } from '#core/log.js';
import type { OAuthTransport } from '#core/oauth/transport.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Store } from '#core/store/store.js';
import type { CredentialBox } from '#core/upkeep/credential-box.js';
import type { OrphanedTokens } from '#core/upkeep/oauth-tokens.js';
import type { OAuthSetup } from '#core/upkeep/type-oauth.js';
import type { Upkeep } from '#core/upkeep/upkeep.js';
import type { Vault } from '#core/vault/vault.js';
import type { ProofOptions } from './proof.js';
import type { SignIn } from './sign-in.js';

/** What the consent flow is built of. */
export interface ConsentParts {
  store: Store;
  vault: Vault;
  box: CredentialBox;
  upkeep: Pick<Upkeep, 'checkEnrollment' | 'status'>;
  /** To authorization servers. */
  transport: OAuthTransport;
  /** The client and discovery that count for a type now. Throws `UserFault` with the next step where there is none. */
  setupOf: (type: ConnectionType) => Promise<OAuthSetup>;
  /** Told when the provider doesn't know the client, or its secret, any more. */
  clientRefused: (type: ConnectionType, clientRowId: string) => Promise<void>;
  /** Told of tokens that nobody keeps: they are revoked, in the background. */
  orphaned: (orphan: OrphanedTokens) => Promise<void>;
  /** Null where no client at an OIDC issuer is configured. */
  signIn: SignIn | null;
  proof: Pick<ProofOptions, 'localMode' | 'oidc'>;
  /** Without a slash at its end; known once the server listens. */
  publicUrl: () => string;
  /** Whether there is an explorer. */
  explorer: boolean;
  /** Our client ID metadata document. */
  clientMetadata: () => object;
  /** Called after each commit, so that this process forgets what it cached of the team. */
  changed: (teamId: string) => void;
  logger: Logger;
  now: () => Date;
  /** From 0 to 1, for spreading refreshes. */
  random: () => number;
}

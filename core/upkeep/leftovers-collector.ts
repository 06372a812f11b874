import type { OAuthTokens } from '../connection/credential.js';
import { quotePeer } from '../errors.js';
import type { ClientAuthMethod, ServerMetadata } from '../oauth/server-metadata.js';
import type { OAuthClient } from '../store/entities/oauth-client.entity.js';
import type { OAuthLeftover } from '../store/entities/oauth-grant.entity.js';
import { OAuthLeftovers, type NewLeftover } from '../store/oauth-leftovers.js';
import type { Repositories } from '../store/store.js';
import type { Vault } from '../vault/vault.js';
import type { CredentialBox } from './credential-box.js';
import type { LeftoverContent } from './leftovers-undo.js';
import type { OAuthClientRegistry } from './oauth-clients.js';
import { belongsTo } from './oauth-place.js';
import { subjectOf } from './oauth-tokens-life.js';

/** What {@link LeftoverCollector} is built of. */
export interface CollectorOptions {
  vault: Vault;
  box: CredentialBox;
  registry: Pick<OAuthClientRegistry, 'secrets'>;
}

/** What is about to be deleted. */
export type Leaving = { enrollmentIds: readonly string[] } | { ownerId: string } | { connectionTypeId: string };

const DAY_MS = 24 * 60 * 60_000;
/** Tokens are tried for a day; a client, whose turn is after them, for one more hour. */
const GIVE_UP_AFTER_MS = { TOKENS: DAY_MS, CLIENT: DAY_MS + 60 * 60_000 };

/** Writes down, sealed, what a deletion leaves at providers: a login's tokens, a type's registered clients. */
export class LeftoverCollector {
  constructor(private readonly options: CollectorOptions) {}

  /** For use inside the deleting transaction, before it deletes. Locks the credentials, so that none of them is renewed in between. Answers the leftovers' ids. */
  async collect(repositories: Repositories, leaving: Leaving): Promise<string[]> {
    const ids: string[] = [];
    if ('connectionTypeId' in leaving) await repositories.connectionTypes.lockForRemoval(leaving.connectionTypeId);
    for (const enrollmentId of await repositories.enrollments.lockLogins(leaving)) {
      const id = await this.#tokens(repositories, enrollmentId);
      if (id !== null) ids.push(id);
    }
    if ('connectionTypeId' in leaving) {
      for (const client of await repositories.oauthClients.ofType(leaving.connectionTypeId)) {
        const id = await this.#client(repositories, leaving.connectionTypeId, client);
        if (id !== null) ids.push(id);
      }
    }
    return ids;
  }

  /** Writes one down. */
  async insert(repositories: Repositories, { outcome = 'PENDING', message = '', ...leftover }: Omit<NewLeftover, 'outcome' | 'message'> & Partial<NewLeftover>): Promise<void> {
    await repositories.oauthLeftovers.insert({ ...leftover, outcome, message }, GIVE_UP_AFTER_MS[leftover.kind]);
    if (outcome !== 'PENDING') await auditEnd(repositories, leftover, outcome);
  }

  async #tokens(repositories: Repositories, enrollmentId: string): Promise<string | null> {
    const enrollment = await repositories.enrollments.evenHidden(enrollmentId);
    const type = enrollment === null ? null : await repositories.connectionTypes.evenHidden(enrollment.connectionTypeId);
    const [credential] = await repositories.enrollments.credentials([enrollmentId]);
    const grant = await repositories.oauthGrants.byId(enrollmentId);
    if (enrollment === null || type === null || credential === undefined || grant?.issuer == null) return null;
    const { teamId, confirmedTarget: target } = enrollment;
    const discovery = await repositories.oauthClients.discovery(type.id);
    const client = grant.clientId === null ? null : await repositories.oauthClients.byId(grant.clientId);
    const known = { id: OAuthLeftovers.newId(), teamId, kind: 'TOKENS' as const, subjectName: subjectOf(type, enrollment), issuer: grant.issuer };
    if (client === null || client.clientId === null || discovery?.issuer !== grant.issuer || !belongsTo(client, discovery)) {
      const message = `The login couldn't be revoked: the server isn't connected with ${quotePeer(grant.issuer)} any more. It may go on working until it expires; end it in the settings there.`;
      await this.insert(repositories, { ...known, sealed: null, outcome: 'ABANDONED', message });
      return known.id;
    }
    const value = await this.options.box.open({ teamId, enrollmentId, version: credential.version, target }, credential.sealed, { authMethod: 'OAUTH' });
    const { accessToken, refreshToken } = value as OAuthTokens;
    const content: LeftoverContent = { kind: 'TOKENS', client: await this.#identity(client), metadata: discovery.metadata as ServerMetadata, tokens: { accessToken, refreshToken } };
    await this.insert(repositories, { ...known, sealed: await sealLeftover(this.options.vault, known, content) });
    return known.id;
  }

  /** Only a client that was registered by us, and that can be managed, is there to be deleted: those that were replaced may still be. */
  async #client(repositories: Repositories, typeId: string, client: OAuthClient): Promise<string | null> {
    const { registrationAccessToken } = await this.options.registry.secrets(client);
    const type = await repositories.connectionTypes.evenHidden(typeId);
    const { teamId, issuer, redirectUri, registrationClientUri } = client;
    if (type === null || client.method !== 'DYNAMIC' || client.clientId === null || registrationClientUri === null || registrationAccessToken === undefined) return null;
    const known = { id: OAuthLeftovers.newId(), teamId, kind: 'CLIENT' as const, subjectName: type.name, issuer };
    const content: LeftoverContent = { kind: 'CLIENT', client: { ...(await this.#identity(client)), management: { registrationClientUri, registrationAccessToken } }, redirectUri };
    await this.insert(repositories, { ...known, sealed: await sealLeftover(this.options.vault, known, content) });
    return known.id;
  }

  async #identity(client: OAuthClient) {
    const { clientSecret } = await this.options.registry.secrets(client);
    return { clientId: client.clientId!, clientSecret: clientSecret ?? null, authMethod: (client.tokenEndpointAuthMethod ?? 'none') as ClientAuthMethod };
  }
}

/** Says on the audit trail how it ended, in the transaction in which it ends. */
export async function auditEnd(repositories: Repositories, { id, teamId, kind, subjectName }: Pick<OAuthLeftover, 'id' | 'teamId' | 'kind' | 'subjectName'>, outcome: Exclude<OAuthLeftover['outcome'], 'PENDING'>): Promise<void> {
  await repositories.audit.append({
    teamId, actorId: null, actorName: 'Fairlead', onBehalfOfName: null, tokenId: null, action: kind === 'TOKENS' ? 'revokeLogin' : 'deleteClient', subjectType: kind === 'TOKENS' ? 'Enrollment' : 'ConnectionType',
    subjectId: null, subjectName, outcome: outcome === 'REVOKED' ? 'SUCCEEDED' : 'FAILED', code: outcome === 'REVOKED' ? null : outcome, requestId: id,
  });
}

/** Seals what undoing takes. */
export function sealLeftover(vault: Vault, leftover: Pick<OAuthLeftover, 'id' | 'teamId'>, content: LeftoverContent): Promise<Buffer> {
  return vault.seal(leftover.teamId, context(leftover), JSON.stringify(content));
}

/** Opens what {@link sealLeftover} sealed. */
export async function openLeftover(vault: Vault, leftover: Pick<OAuthLeftover, 'id' | 'teamId' | 'sealed'>): Promise<LeftoverContent> {
  return JSON.parse((await vault.open(leftover.teamId, context(leftover), leftover.sealed!)).toString('utf8')) as LeftoverContent;
}

function context({ id }: Pick<OAuthLeftover, 'id'>) {
  return { table: 'oauth_leftovers', column: 'sealed', rowId: id, version: 0 };
}

import { quotePeer } from '../errors.js';
import type { Discovery } from '../oauth/discovery.js';
import { OAuthFault } from '../oauth/fault.js';
import { documentClient, preregisteredClient } from '../oauth/client-metadata.js';
import type { RegisteredClient } from '../oauth/client-information.js';
import { renewRegistration } from '../oauth/client-management.js';
import { tryClient } from '../oauth/client-trial.js';
import { secretRenewalPlan } from '../oauth/refresh-plan.js';
import { registerClient } from '../oauth/registration.js';
import type { ClientAuthMethod } from '../oauth/server-metadata.js';
import type { OAuthTransport } from '../oauth/transport.js';
import type { OAuthClient } from '../store/entities/oauth-client.entity.js';
import type { Repositories, Store } from '../store/store.js';
import type { Vault } from '../vault/vault.js';
import { AT_ONCE, stillInRun, type CheckRun } from './run.js';

/** What is kept sealed of a client. */
export interface ClientSecrets {
  /** Kept, so that a client that the issuer forgot can be registered anew. */
  initialAccessToken?: string;
  clientSecret?: string;
  registrationAccessToken?: string;
}

/** A client that can be used now, with its secret in clear. */
export interface UsableClient {
  clientId: string;
  clientSecret: string | null;
  authMethod: ClientAuthMethod;
}

/** How a type's client comes to be. */
export type ClientChoice =
  | { method: 'PREREGISTERED'; clientId: string; clientSecret: string | null }
  | { method: 'METADATA_DOCUMENT'; clientId: string }
  /** `initialAccessToken`: where the issuer registers nobody without one (RFC 7591, section 3). */
  | { method: 'DYNAMIC'; initialAccessToken: string | null };

/** What {@link OAuthClientRegistry} is built of. */
export interface RegistryOptions {
  store: Store;
  vault: Vault;
  transport: OAuthTransport;
  clientName: string;
  now: () => Date;
}

/** The states from which a registration may end. */
const UNDECIDED = ['PENDING', 'OUTCOME_UNKNOWN', 'REFUSED'] as const;

/**
 * Clients at issuers. One is bound to one issuer and one redirect URI, and is on record as pending *before* it is asked for,
 * so that a crash can't register twice unseen (design section 7).
 */
export class OAuthClientRegistry {
  readonly #running = new Set<Promise<unknown>>();

  constructor(private readonly options: RegistryOptions) {}

  /** Records a client, for use inside the transaction that creates or changes its type. One that needs no request is `ACTIVE` at once, a dynamic one `PENDING`. */
  async record(repositories: Repositories, type: { id: string; teamId: string }, discovery: Discovery, redirectUri: string, choice: ClientChoice): Promise<OAuthClient> {
    const client = await repositories.oauthClients.insertPending({ teamId: type.teamId, connectionTypeId: type.id, issuer: discovery.issuer, tokenHost: discovery.tokenHost, redirectUri, method: choice.method });
    if (choice.method === 'DYNAMIC') {
      if (choice.initialAccessToken === null) return client;
      await repositories.oauthClients.transition(client.id, ['PENDING'], { sealed: await this.#seal(client, client.version, { initialAccessToken: choice.initialAccessToken }) });
      return (await repositories.oauthClients.byId(client.id))!;
    }
    const { clientId, clientSecret, authMethod } = choice.method === 'METADATA_DOCUMENT' ? documentClient(choice.clientId) : preregisteredClient(choice.clientId, choice.clientSecret, discovery.metadata);
    await repositories.oauthClients.transition(client.id, ['PENDING'], {
      // Nothing was sent: a refusal is about this client from its first moment on.
      state: 'ACTIVE', attemptedAt: null, clientId, tokenEndpointAuthMethod: authMethod, sealed: clientSecret === null ? null : await this.#seal(client, client.version, { clientSecret }),
    });
    return (await repositories.oauthClients.byId(client.id))!;
  }

  /**
   * Sends the registration that is on record as `PENDING`, and stores how it ended. Answers the fault that ended it, or null when the client is `ACTIVE`.
   * A fault that proves that nothing was registered leaves it `PENDING` (`TEMPORARY`) or `REFUSED`; one that doesn't, `OUTCOME_UNKNOWN`: it isn't sent again by itself.
   * The fence of the answer is the record, not the run: a client that was received exists nowhere else, so it is stored even if the run is over by then.
   * @throws {RunOver} the run was over before anything was sent
   */
  register(client: OAuthClient, discovery: Discovery, run: CheckRun = AT_ONCE): Promise<OAuthFault | null> {
    return this.#whole(this.#register(client, discovery, run));
  }

  /** Waits for answers that are under way, so that none is lost: before the store is closed. */
  async stop(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  async #register(client: OAuthClient, discovery: Discovery, run: CheckRun): Promise<OAuthFault | null> {
    const { store, transport, clientName, now } = this.options;
    await stillInRun(store, run);
    try {
      const { initialAccessToken } = await this.secrets(client);
      const registered = await registerClient({ discovery, transport, clientName, redirectUri: client.redirectUri, initialAccessToken, now: now() });
      await this.#store(client, registered, initialAccessToken);
      return null;
    } catch (error) {
      if (!(error instanceof OAuthFault)) throw error;
      const state = error.code === 'TEMPORARY' ? 'PENDING' : error.code === 'OUTCOME_UNKNOWN' || error.code === 'INVALID_ANSWER' ? 'OUTCOME_UNKNOWN' : 'REFUSED';
      await store.oauthClients.transition(client.id, ['PENDING'], { state, message: error.publicMessage });
      return error;
    }
  }

  /**
   * Renews a client whose secret is nearing its end (RFC 7592): by `secretRenewalPlan`. Secret and registration access token are
   * stored together, or not at all. Answers the fault that stood in the way, or null. One at a time sends it, since the token may be
   * good for one renewal only; the others go on with what there is.
   * The fence of the answer is the version of what is sealed, as with {@link register}.
   * @throws {RunOver} the run was over before anything was sent
   */
  renewIfDue(client: OAuthClient, discovery: Discovery, run: CheckRun = AT_ONCE): Promise<OAuthFault | null> {
    return this.#whole(this.#renewIfDue(client, discovery, run));
  }

  async #renewIfDue(client: OAuthClient, discovery: Discovery, run: CheckRun): Promise<OAuthFault | null> {
    if (!secretNearingExpiry(client, this.options.now())) return null;
    const { store, transport, clientName, now } = this.options;
    const { clientSecret, registrationAccessToken, initialAccessToken } = await this.secrets(client);
    if (registrationAccessToken === undefined || client.registrationClientUri === null) return null;
    const known: RegisteredClient = {
      method: 'DYNAMIC', clientId: client.clientId!, clientSecret: clientSecret ?? null, authMethod: (client.tokenEndpointAuthMethod ?? 'none') as ClientAuthMethod,
      clientSecretExpiresAt: client.clientSecretExpiresAt, management: { registrationClientUri: client.registrationClientUri, registrationAccessToken }, warnings: [],
    };
    await stillInRun(store, run);
    if (!(await store.oauthClients.claimRenewal(client.id, client.version, RENEWAL_LEASE_MS))) return null;
    try {
      const renewed = await renewRegistration({ discovery, client: { ...known, management: known.management! }, transport, clientName, redirectUri: client.redirectUri, now: now() });
      const version = client.version + 1;
      await store.oauthClients.replaceSecrets(client.id, client.version, {
        sealed: await this.#seal(client, version, secretsOf(renewed, initialAccessToken)), clientSecretExpiresAt: renewed.clientSecretExpiresAt,
        registrationClientUri: renewed.management?.registrationClientUri ?? null,
      });
      return null;
    } catch (error) {
      if (!(error instanceof OAuthFault)) throw error;
      // The client is over. After any other fault the lease is the pause before the next attempt.
      if (error.code === 'INVALID_CLIENT') await store.oauthClients.releaseRenewal(client.id, client.version);
      return error;
    }
  }

  /** Whether the issuer lets a client that was entered in by this secret; null when that can't be told. Nothing is stored. */
  accepts(discovery: Discovery, clientId: string, clientSecret: string | null): Promise<boolean | null> {
    return tryClient({ discovery, client: preregisteredClient(clientId, clientSecret, discovery.metadata), transport: this.options.transport });
  }

  /** The client with its secret; null unless it is `ACTIVE`, or `RETIRED` after it was: such a one is for logins that were issued to it. */
  async open(client: OAuthClient): Promise<UsableClient | null> {
    if ((client.state !== 'ACTIVE' && client.state !== 'RETIRED') || client.clientId === null) return null;
    const { clientSecret } = await this.secrets(client);
    return { clientId: client.clientId, clientSecret: clientSecret ?? null, authMethod: (client.tokenEndpointAuthMethod ?? 'none') as ClientAuthMethod };
  }

  /** What is sealed of a client; empty where nothing is. */
  async secrets(client: OAuthClient): Promise<ClientSecrets> {
    if (client.sealed === null) return {};
    return JSON.parse((await this.options.vault.open(client.teamId, context(client, client.version), client.sealed)).toString('utf8')) as ClientSecrets;
  }

  /** Takes a client out of use: the issuer moved, doesn't know it any more, or another takes its place. For use inside a transaction. */
  async retire(repositories: Repositories, client: OAuthClient, why: string): Promise<void> {
    await repositories.oauthClients.transition(client.id, ['ACTIVE', ...UNDECIDED], { state: 'RETIRED', message: why });
  }

  async #store(client: OAuthClient, registered: RegisteredClient, initialAccessToken: string | undefined): Promise<void> {
    const { management } = registered;
    const secrets = secretsOf(registered, initialAccessToken);
    const sealed = Object.keys(secrets).length === 0 ? null : await this.#seal(client, client.version, secrets);
    await this.options.store.oauthClients.transition(client.id, UNDECIDED, {
      state: 'ACTIVE', clientId: registered.clientId, tokenEndpointAuthMethod: registered.authMethod, sealed, clientSecretExpiresAt: registered.clientSecretExpiresAt,
      registrationClientUri: management?.registrationClientUri ?? null, attemptedAt: null, message: registered.warnings.length === 0 ? null : registered.warnings.join(' '),
    });
  }

  #whole<T>(work: Promise<T>): Promise<T> {
    const running: Promise<unknown> = work.catch(() => undefined).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return work;
  }

  #seal(client: OAuthClient, version: number, secrets: ClientSecrets): Promise<Buffer> {
    return this.options.vault.seal(client.teamId, context(client, version), JSON.stringify(secrets));
  }
}

/** Outlives the request. */
const RENEWAL_LEASE_MS = 60_000;

/** Whether a client's secret is being replaced, or was a moment ago: who is refused now may have used the old one. Pure. */
export function secretInFlux({ attemptedAt, updatedAt, version }: Pick<OAuthClient, 'attemptedAt' | 'updatedAt' | 'version'>, now: Date): boolean {
  const since = now.getTime() - RENEWAL_LEASE_MS;
  return (attemptedAt !== null && attemptedAt.getTime() > since) || (version > 1 && updatedAt.getTime() > since);
}

/** Whether a client's secret is due to be renewed. Pure. */
export function secretNearingExpiry(client: Pick<OAuthClient, 'clientSecretExpiresAt' | 'updatedAt' | 'state'>, now: Date): boolean {
  const planned = client.state === 'ACTIVE' ? secretRenewalPlan(client.clientSecretExpiresAt, client.updatedAt, null) : null;
  return planned !== null && planned < now;
}

function secretsOf({ clientSecret, management }: RegisteredClient, initialAccessToken: string | undefined): ClientSecrets {
  return { ...(initialAccessToken === undefined ? {} : { initialAccessToken }), ...(clientSecret === null ? {} : { clientSecret }), ...(management === null ? {} : { registrationAccessToken: management.registrationAccessToken }) };
}

function context(client: OAuthClient, version: number) {
  return { table: 'oauth_clients', column: 'sealed', rowId: client.id, version, extra: [client.issuer, client.redirectUri] };
}

/** What managers have to do when our redirect URI is no longer the one that a client was entered for. */
export function otherRedirectUri({ clientId, issuer, redirectUri: before }: Pick<OAuthClient, 'clientId' | 'issuer' | 'redirectUri'>, redirectUri: string): string {
  return `Fairlead's address changed: the client ${quotePeer(clientId ?? '')} was entered for the redirect URI ${before}. Register ${redirectUri} for it at ${quotePeer(issuer)}, then enter its client ID again with updateConnectionType. Logins that exist go on.`;
}

/** What a registration's end means for people: the condition `Registered`. */
export function registeredCondition(client: OAuthClient | null, redirectUri: string) {
  const byHand = `Register a client with the redirect URI ${redirectUri} by hand, and enter its client ID and secret.`;
  if (client === null) return { type: 'Registered', status: 'FALSE' as const, reason: 'ClientRequired', message: byHand };
  if (client.state === 'ACTIVE' && client.method === 'PREREGISTERED' && client.redirectUri !== redirectUri) {
    return { type: 'Registered', status: 'FALSE' as const, reason: 'RedirectUriChanged', message: otherRedirectUri(client, redirectUri) };
  }
  switch (client.state) {
    case 'ACTIVE':
      return { type: 'Registered', status: 'TRUE' as const, reason: client.method === 'DYNAMIC' ? 'Dynamic' : client.method === 'PREREGISTERED' ? 'Preregistered' : 'MetadataDocument', message: client.message ?? '' };
    case 'PENDING':
      return { type: 'Registered', status: 'UNKNOWN' as const, reason: 'RegistrationPending', message: client.message ?? 'The registration is under way.' };
    case 'OUTCOME_UNKNOWN':
      return {
        type: 'Registered', status: 'UNKNOWN' as const, reason: 'RegistrationOutcomeUnknown',
        message: `The registration at ${quotePeer(client.issuer)} was sent, and no usable answer came: there may be a client that we don't know. It isn't sent twice. ${byHand}`,
      };
    default:
      return { type: 'Registered', status: 'FALSE' as const, reason: 'RegistrationRefused', message: `${client.message ?? 'The issuer refused the registration.'} ${byHand}` };
  }
}

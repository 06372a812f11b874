import { withObservations, sameMeaning, type Observation } from '../connection/condition.js';
import type { ConnectionTypeSpec } from '../connection/spec.js';
import { targetUrl } from '../connection/target.js';
import { quotePeer, UserFault } from '../errors.js';
import { discoverOAuth, type Discovery, type DiscoveryReport } from '../oauth/discovery.js';
import type { OAuthFault } from '../oauth/fault.js';
import { chooseRegistration, decideOutcome, type OAuthOutcome } from '../oauth/outcome.js';
import type { OAuthTransport } from '../oauth/transport.js';
import type { ProbeReport } from '../mcp/probe.js';
import type { ConnectionType } from '../store/entities/connection-type.entity.js';
import type { OAuthClient, OAuthDiscovery } from '../store/entities/oauth-client.entity.js';
import type { Repositories, Store } from '../store/store.js';
import { suspendLogins } from './issuer-changed.js';
import { readiness } from './observations.js';
import { standingOf, type LookBegan, type LookStanding } from './oauth-look-fence.js';
import { belongsTo, pinned, samePlace } from './oauth-place.js';
import { AT_ONCE, writeInRun, type CheckRun } from './run.js';
import { otherRedirectUri, registeredCondition, secretInFlux, secretNearingExpiry, type ClientChoice, type OAuthClientRegistry, type UsableClient } from './oauth-clients.js';

/** What {@link TypeOAuth} is built of. */
export interface TypeOAuthOptions {
  store: Store;
  registry: OAuthClientRegistry;
  transport: OAuthTransport;
  /** `${publicUrl}/oauth/callback`; known once the server listens. */
  redirectUri: () => string;
  /** Where the world can read our client metadata document; null where nobody could. */
  clientMetadataUrl: () => string | null;
  now: () => Date;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Called after something that callers rely on was written. */
  changed: (teamId: string) => void;
}

/** What was found of a server's OAuth, and what that means. */
export interface OAuthLook {
  report: DiscoveryReport;
  outcome: OAuthOutcome;
}

/** A look that found nothing usable, and what it began from. */
export interface FailedLook {
  failure: NonNullable<DiscoveryReport['failure']>;
  began: LookBegan;
}

/** Client and discovery that count for a type now: everything that consent, refresh and revocation go by. */
export interface OAuthSetup {
  clientRowId: string;
  client: UsableClient;
  discovery: Discovery;
}

/**
 * OAuth of connection types: whom the logins are issued by, and our client there. The issuer and its token endpoint's host are pinned at the first
 * discovery: when they change, nothing sealed goes to the new ones (design section 7).
 */
export class TypeOAuth {
  constructor(private readonly options: TypeOAuthOptions) {}

  get redirectUri(): string {
    return this.options.redirectUri();
  }

  /** Finds out what OAuth takes at a server. Never throws for what servers do; nothing is saved. */
  async look(serverUrl: string, probe: Pick<ProbeReport, 'verdict' | 'challenge'>, spec: Pick<ConnectionTypeSpec, 'oauth'> | null, pinnedIssuer: string | null = null, signal?: AbortSignal): Promise<OAuthLook> {
    const { clock } = this.options;
    const transport = { ...this.options.transport, signal };
    const challenged = probe.verdict === 'AUTHENTICATION_REQUIRED';
    const report = await discoverOAuth({ serverUrl, challenge: probe.challenge, challenged, transport, allowUnadvertisedPkce: spec?.oauth?.allowUnadvertisedPkce ?? false, pinnedIssuer, clock });
    return { report, outcome: this.#outcome(report, challenged, null) };
  }

  /** How the type's client comes to be: the client that a manager entered wins. Throws CLIENT_REQUIRED or INVALID where none can. */
  choose(spec: ConnectionTypeSpec, clientSecret: string | null, { report, outcome }: OAuthLook, initialAccessToken: string | null = null): ClientChoice {
    const found = report.found!;
    const clientId = spec.oauth?.clientId ?? null;
    if (clientId === null && clientSecret !== null) throw new UserFault('INVALID', 'A client secret needs its client ID: enter both, or neither for automatic registration.', { field: ['input', 'oauth', 'clientId'] });
    if (clientId !== null) {
      const takesPublic = found.metadata.token_endpoint_auth_methods_supported?.includes('none') ?? false;
      if (clientSecret === null && !takesPublic) throw new UserFault('INVALID', 'The authorization server wants clients to have a secret: enter the client secret too.', { field: ['input', 'oauth', 'clientSecret'] });
      return { method: 'PREREGISTERED', clientId, clientSecret };
    }
    const method = chooseRegistration(found, { clientMetadataUrl: this.options.clientMetadataUrl(), hasClient: false });
    if (method === 'METADATA_DOCUMENT') return { method, clientId: this.options.clientMetadataUrl()! };
    if (method === 'DYNAMIC') return { method, initialAccessToken };
    throw clientRequired(outcome.message);
  }

  /** What to say when a registration that was advertised ended with a fault. */
  refusalOf(look: OAuthLook, fault: OAuthFault): UserFault {
    if (fault.code === 'TEMPORARY') return new UserFault('SERVER_REFUSED', `${fault.publicMessage} Nothing was saved; try again.`, { field: ['input', 'serverUrl'], retryable: true, retryAfterMs: fault.retryAfterMs ?? undefined });
    return clientRequired(this.#outcome(look.report, true, fault.publicMessage).message);
  }

  /**
   * Writes what was discovered and the client, for use inside the transaction that creates or changes the type; a client that another one replaces is retired.
   * The logins of another place than was on record are suspended. Throws STALE_VERSION where somebody else has found another issuer since this look began, when `before` was on record.
   */
  async save(repositories: Repositories, type: ConnectionType, found: Discovery, choice: ClientChoice, before: OAuthDiscovery | null = null): Promise<OAuthClient> {
    const { now, registry } = this.options;
    await repositories.connectionTypes.lock(type.id);
    const known = await repositories.oauthClients.discovery(type.id);
    if (known !== null && !samePlace(known, before)) {
      throw new UserFault('STALE_VERSION', `The server's logins are issued by ${quotePeer(known.issuer)} now, with tokens from ${quotePeer(known.tokenHost)}: that was found a moment ago. Nothing was saved: look at the connection type again, then repeat your change if it is still right.`, { field: ['input', 'oauth'] });
    }
    const current = await repositories.oauthClients.current(type.id);
    if (current !== null) await registry.retire(repositories, current, 'Another client takes its place.');
    await repositories.oauthClients.saveDiscovery(rowOf(type, pinned(found, known), now()));
    if (known !== null && !samePlace(known, found)) await suspendLogins(repositories, type, known, found, now());
    return registry.record(repositories, type, found, this.redirectUri, choice);
  }

  /** Sends a registration that is on record as pending, and writes the conditions. Answers the fault that ended it, or null. */
  async register(type: ConnectionType, client: OAuthClient, found: Discovery, run: CheckRun = AT_ONCE): Promise<OAuthFault | null> {
    const fault = client.state === 'PENDING' ? await this.options.registry.register(client, found, run) : null;
    await this.observe(type.id, null, run);
    return fault;
  }

  /**
   * Client and discovery that consents go by now. A client is bound to one redirect URI: where ours has changed, another one is registered first, visibly. What was discovered of an address that the type has left is
   * of no use: tokens would be asked for the old server, and sent to the new one.
   * Throws `UserFault` with the next step where there is none: CLIENT_REQUIRED for managers, SERVER_REFUSED to try again.
   */
  async setupOf(type: ConnectionType): Promise<OAuthSetup> {
    const { store } = this.options;
    const [row, found] = await Promise.all([store.oauthClients.discovery(type.id), store.oauthClients.current(type.id)]);
    if (row !== null && targetUrl(row.serverUrl) !== targetUrl(type.spec.serverUrl)) throw new UserFault('SERVER_REFUSED', NOT_READ_YET, { retryable: true, retryAfterMs: REGISTRATION_PAUSE_MS });
    if (row === null || found === null || !belongsTo(found, row)) return this.#usable(row, found);
    if (found.redirectUri === this.redirectUri) return this.#usable(row, await this.#renewed(type, found, row));
    if (found.method === 'PREREGISTERED') throw new UserFault('CLIENT_REQUIRED', `Nobody can consent until a manager acts. ${otherRedirectUri(found, this.redirectUri)}`);
    return this.#usable(row, await this.#rebound(type, row));
  }

  /**
   * Client and discovery that a login goes by which was issued to this client: to refresh and to revoke takes no redirect URI, so a client that only lost its place to one of our new redirect URI
   * goes on for as long as the issuer lets it. Throws as {@link setupOf}.
   */
  async setupOfLogin(type: ConnectionType, issuedTo: string | null): Promise<OAuthSetup> {
    const { store } = this.options;
    const [row, current, own] = await Promise.all([store.oauthClients.discovery(type.id), store.oauthClients.current(type.id), issuedTo === null ? null : store.oauthClients.byId(issuedTo)]);
    const outlived = row !== null && own !== null && belongsTo(own, row) && own.redirectUri !== this.redirectUri && own.clientId !== null && (own.state === 'ACTIVE' || own.state === 'RETIRED');
    const counts = outlived ? own : current;
    return this.#usable(row, counts === null || row === null ? counts : await this.#renewed(type, counts, row));
  }

  /** Records a client of our present redirect URI in place of one of another, for use inside a transaction that holds the type's lock; null where that takes a manager. */
  async replaceUnbound(repositories: Repositories, type: ConnectionType, client: OAuthClient, found: Discovery): Promise<OAuthClient | null> {
    const { clientMetadataUrl, registry } = this.options;
    await registry.retire(repositories, client, 'Our redirect URI changed; a client belongs to one.');
    const { initialAccessToken = null } = await registry.secrets(client);
    const method = chooseRegistration(found, { clientMetadataUrl: clientMetadataUrl(), hasClient: false });
    if (method === null) return null;
    return registry.record(repositories, type, found, this.redirectUri, method === 'METADATA_DOCUMENT' ? { method, clientId: clientMetadataUrl()! } : { method: 'DYNAMIC', initialAccessToken });
  }

  /**
   * The provider doesn't know the client, or its secret, any more: a dynamic one is registered anew, visibly; a manager must act on one that was entered by hand. That of our metadata document
   * is not over: the provider couldn't read the document, and will read it again.
   */
  async clientRefused(type: ConnectionType, clientRowId: string, run: CheckRun = AT_ONCE): Promise<void> {
    const { now, registry, store } = this.options;
    const replaced = await writeInRun(store, run, async (repositories) => {
      await repositories.connectionTypes.lock(type.id);
      const client = await repositories.oauthClients.current(type.id);
      const row = await repositories.oauthClients.discovery(type.id);
      if (client === null || client.id !== clientRowId || client.state !== 'ACTIVE' || row === null || secretInFlux(client, now())) return null;
      if (client.method === 'METADATA_DOCUMENT') return null;
      if (client.method === 'PREREGISTERED') {
        await repositories.oauthClients.transition(client.id, ['ACTIVE'], { state: 'REFUSED', message: 'The issuer no longer accepts this client or its secret: enter the right ones.' });
        return null;
      }
      await registry.retire(repositories, client, 'The issuer no longer knows this client; another one was registered.');
      const { initialAccessToken } = await registry.secrets(client);
      return { client: await registry.record(repositories, type, discoveryOf(row), this.redirectUri, { method: 'DYNAMIC', initialAccessToken: initialAccessToken ?? null }), found: discoveryOf(row) };
    });
    if (replaced === null) await this.observe(type.id, null, run);
    else await this.register(type, replaced.client, replaced.found, run);
  }

  /** Writes the conditions Discovered and Registered, and what they mean for Ready. A look that failed is heeded, and anything written of it, only where it stands. */
  async observe(typeId: string, failed: FailedLook | null = null, run: CheckRun = AT_ONCE): Promise<LookStanding> {
    const { store, now, changed } = this.options;
    const { standing, teamId } = await writeInRun(store, run, async (repositories): Promise<{ standing: LookStanding; teamId: string | null }> => {
      const standing = failed === null ? 'STANDS' : await standingOf(failed.began, repositories);
      const locked = standing === 'STANDS' ? await repositories.connectionTypes.lock(typeId) : null;
      if (locked === null || locked.type.spec.authMethod !== 'OAUTH') return { standing, teamId: null };
      const row = await repositories.oauthClients.discovery(typeId);
      const client = await repositories.oauthClients.current(typeId);
      const observations = oauthConditions(row, client, failed?.failure ?? null, this.redirectUri);
      const seen = withObservations(locked.status.conditions, observations, locked.type.version, now());
      const ready = readiness(seen, locked.type.spec.authMethod);
      const conditions = ready === null ? seen : withObservations(seen, [ready], locked.type.version, now());
      if (sameMeaning(locked.status.conditions, conditions)) return { standing, teamId: null };
      await repositories.connectionTypes.updateStatus(typeId, { conditions });
      await repositories.announce(locked.type.teamId);
      return { standing, teamId: locked.type.teamId };
    });
    if (teamId !== null) changed(teamId);
    return standing;
  }

  async #usable(row: OAuthDiscovery | null, client: OAuthClient | null): Promise<OAuthSetup> {
    const usable = client === null ? null : await this.options.registry.open(client);
    if (row !== null && client !== null && usable !== null && belongsTo(client, row)) return { clientRowId: client.id, client: usable, discovery: discoveryOf(row) };
    const ours = row !== null && client !== null && belongsTo(client, row) ? client : null;
    const { message } = registeredCondition(ours, this.redirectUri);
    if (ours?.state === 'PENDING') {
      throw new UserFault('SERVER_REFUSED', `Fairlead is not registered at the server's provider yet. ${message} Try again in a minute.`, { retryable: true, retryAfterMs: REGISTRATION_PAUSE_MS });
    }
    throw new UserFault('CLIENT_REQUIRED', `There is no usable OAuth client for this connection type yet; its managers must act. ${message}`);
  }

  /** The client of our present redirect URI, recorded and registered now unless somebody else has done that meanwhile. */
  async #rebound(type: ConnectionType, row: OAuthDiscovery): Promise<OAuthClient | null> {
    const { store } = this.options;
    const found = discoveryOf(row);
    const recorded = await store.transaction(async (repositories) => {
      await repositories.connectionTypes.lock(type.id);
      const current = await repositories.oauthClients.current(type.id);
      if (current === null || current.redirectUri === this.redirectUri || !belongsTo(current, row) || current.method === 'PREREGISTERED') return null;
      return this.replaceUnbound(repositories, type, current, found);
    });
    if (recorded !== null) await this.register(type, recorded, found);
    else await this.observe(type.id);
    return store.oauthClients.current(type.id);
  }

  /** The client, renewed if its secret is nearing its end. One that can't be renewed is used for as long as it is accepted. */
  async #renewed(type: ConnectionType, client: OAuthClient, row: OAuthDiscovery): Promise<OAuthClient | null> {
    const { store, registry, now } = this.options;
    if (!secretNearingExpiry(client, now())) return client;
    const fault = await registry.renewIfDue(client, discoveryOf(row));
    if (fault?.code === 'INVALID_CLIENT') await this.clientRefused(type, client.id);
    return store.oauthClients.current(type.id);
  }

  #outcome(report: DiscoveryReport, challenged: boolean, registrationRefusal: string | null): OAuthOutcome {
    return decideOutcome({ discovery: report, challenged, redirectUri: this.redirectUri, clientMetadataUrl: this.options.clientMetadataUrl(), registrationRefusal });
  }
}

/** When to ask again whether a registration that is under way, or was put off by the issuer, has worked: checks send it again. */
const REGISTRATION_PAUSE_MS = 10_000;

const NOT_READ_YET = 'The server\'s address changed, and it couldn\'t be asked there yet who issues its logins. Check the connection type, then try again.';

function clientRequired(message: string): UserFault {
  return new UserFault('CLIENT_REQUIRED', message, { field: ['input', 'oauth', 'clientId'] });
}

/** A stored discovery in the form that the protocol steps take. */
export function discoveryOf(row: OAuthDiscovery): Discovery {
  return {
    resource: row.resource, issuer: row.issuer, tokenHost: row.tokenHost, metadata: row.metadata as Discovery['metadata'], scopesSupported: row.scopesSupported,
    challengeScopes: row.challengeScopes, fallbacks: row.fallbacks, pkceAdvertised: true,
  };
}

/** A discovery as it is stored; it belongs to the address that it was found for. */
export function rowOf(type: Pick<ConnectionType, 'id' | 'spec'>, found: Discovery, now: Date): OAuthDiscovery {
  const { resource, issuer, tokenHost, metadata, scopesSupported, challengeScopes, fallbacks } = found;
  return { connectionTypeId: type.id, serverUrl: type.spec.serverUrl, issuer, tokenHost, resource, metadata, scopesSupported, challengeScopes, fallbacks, discoveredAt: now };
}

function oauthConditions(row: OAuthDiscovery | null, client: OAuthClient | null, failure: DiscoveryReport['failure'], redirectUri: string): Observation[] {
  const discovered: Observation = failure !== null
    ? { type: 'Discovered', status: 'FALSE', reason: 'DiscoveryFailed', message: failure.message }
    : row === null
      ? { type: 'Discovered', status: 'UNKNOWN', reason: 'NotDiscovered', message: 'The server\'s OAuth metadata were not read yet.' }
      : { type: 'Discovered', status: 'TRUE', reason: row.fallbacks.length === 0 ? 'Read' : 'OlderRules', message: row.fallbacks.join(' ') };
  return [discovered, registeredCondition(client, redirectUri)];
}

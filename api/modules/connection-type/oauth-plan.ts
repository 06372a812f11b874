import type { ConnectionTypeSpec } from '#core/connection/spec.js';
import { headerValueFault } from '#core/connection/header-rules.js';
import { quotePeer, UserFault } from '#core/errors.js';
import type { ProbeReport } from '#core/mcp/probe.js';
import type { Discovery } from '#core/oauth/discovery.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { OAuthClient, OAuthDiscovery } from '#core/store/entities/oauth-client.entity.js';
import type { Repositories } from '#core/store/store.js';
import type { ClientChoice, OAuthClientRegistry } from '#core/upkeep/oauth-clients.js';
import { samePlace } from '#core/upkeep/oauth-place.js';
import type { OAuthLook, TypeOAuth } from '#core/upkeep/type-oauth.js';

/** How a type's OAuth will be set up: decided before anything is saved. */
export interface OAuthPlan {
  look: OAuthLook;
  found: Discovery;
  choice: ClientChoice;
  /** The discovery that was on record when the look began. */
  before: OAuthDiscovery | null;
}

/** The write-only parts of a client. */
export interface ClientInput {
  clientSecret: string | null;
  initialAccessToken: string | null;
}

/** What an input says of one of a client's secrets: absent keeps, a value replaces, null clears. Throws INVALID. */
export function secretOf(oauth: Partial<Record<keyof ClientInput, string | null>> | null | undefined, name: keyof ClientInput): string | null | undefined {
  const secret = oauth?.[name];
  if (secret == null) return secret;
  const fault = secret === '' ? 'Enter it, or leave it out.' : headerValueFault(secret);
  if (fault !== null) throw new UserFault('INVALID', fault, { field: ['input', 'oauth', name] });
  return secret;
}

/** For a plan with the secret that is on record: another issuer than it was entered for isn't told it. Throws CLIENT_REQUIRED. */
export function refuseElsewhere({ found, before }: OAuthPlan): void {
  if (before === null || samePlace(before, found)) return;
  throw new UserFault('CLIENT_REQUIRED', `The server's logins are issued by ${quotePeer(found.issuer)} now, with tokens from ${quotePeer(found.tokenHost)}, and the client's secret was entered for ${quotePeer(before.issuer)}. Nothing was saved: enter the client ID and secret that are registered there, or null for both.`, { field: ['input', 'oauth', 'clientSecret'] });
}

/** Setting up the OAuth of connection types (design section 3.1). */
export class OAuthPlanner {
  constructor(private readonly oauth: TypeOAuth, private readonly registry: OAuthClientRegistry) {}

  /**
   * Looks at the server's OAuth, and decides how the client comes to be. Null for other methods, and where the server can't be asked now.
   * `before` is what is on record, where the type exists.
   * Throws OAUTH_NOT_SUPPORTED, CLIENT_REQUIRED, INVALID or SERVER_REFUSED: what can't work isn't saved.
   */
  async plan(spec: ConnectionTypeSpec, { clientSecret, initialAccessToken }: ClientInput, report: ProbeReport, before: OAuthDiscovery | null = null): Promise<OAuthPlan | null> {
    if (spec.authMethod !== 'OAUTH') {
      if (clientSecret !== null || initialAccessToken !== null) throw new UserFault('INVALID', 'Only the auth method OAUTH has a client: leave "oauth" out, or choose that method.', { field: ['input', 'oauth'] });
      return null;
    }
    if (report.verdict === 'UNREACHABLE') {
      if (clientSecret === null && initialAccessToken === null) return null;
      throw new UserFault('SERVER_REFUSED', 'The server can\'t be reached, so it can\'t be told where the client secret belongs: leave it out, and enter it when the server is reachable.', { field: ['input', 'oauth', 'clientSecret'], retryable: true });
    }
    const look = await this.oauth.look(spec.serverUrl, report, spec);
    const { found, failure } = look.report;
    if (found === null) {
      if (failure.code === 'UNREACHABLE') throw new UserFault('SERVER_REFUSED', failure.message, { field: ['input', 'serverUrl'], retryable: true });
      throw new UserFault('OAUTH_NOT_SUPPORTED', look.outcome.message, { field: ['input', 'authMethod'] });
    }
    return { look, found, choice: this.oauth.choose(spec, clientSecret, look, initialAccessToken), before };
  }

  /** Writes plan and client, for use inside the transaction that creates or changes the type; see `TypeOAuth.save`. */
  save(repositories: Repositories, type: ConnectionType, { found, choice, before }: OAuthPlan): Promise<OAuthClient> {
    return this.oauth.save(repositories, type, found, choice, before);
  }

  /**
   * Sends a registration that is on record as pending, and writes the conditions. Throws CLIENT_REQUIRED or SERVER_REFUSED when nothing was registered;
   * an outcome that isn't known is no error but a condition.
   */
  async finish(type: ConnectionType, client: OAuthClient, plan: OAuthPlan): Promise<void> {
    const fault = await this.oauth.register(type, client, plan.found);
    if (fault !== null && fault.code !== 'OUTCOME_UNKNOWN' && fault.code !== 'INVALID_ANSWER') throw this.oauth.refusalOf(plan.look, fault);
  }

  /** Whether the client in use was made for another redirect URI than ours is now. */
  async boundElsewhere(repositories: Repositories, typeId: string): Promise<boolean> {
    const client = await repositories.oauthClients.current(typeId);
    return client !== null && client.redirectUri !== this.oauth.redirectUri;
  }

  /** The secret of the client that is in use, to be kept when an update says nothing of it. */
  async storedSecret(repositories: Repositories, typeId: string): Promise<string | null> {
    const client = await repositories.oauthClients.current(typeId);
    return client?.method !== 'PREREGISTERED' ? null : ((await this.registry.secrets(client)).clientSecret ?? null);
  }
}

import type { ConnectionTypeSpec } from '#core/connection/spec.js';
import { scopesToRequest } from '#core/oauth/scopes.js';
import type { OAuthDiscovery } from '#core/store/entities/oauth-client.entity.js';
import type { OAuthGrant } from '#core/store/entities/oauth-grant.entity.js';
import { discoveryOf } from '#core/upkeep/type-oauth.js';

/** The scopes that a consent asks for, with those of a step-up; what is configured while nothing is discovered. */
export function askedScopes(spec: Pick<ConnectionTypeSpec, 'oauth'>, discovery: OAuthDiscovery | null, grant: OAuthGrant | null): string[] {
  const configured = spec.oauth?.scopes ?? [];
  if (discovery === null) return [...configured];
  return scopesToRequest(discoveryOf(discovery), configured, grant?.wantedScopes ?? []);
}

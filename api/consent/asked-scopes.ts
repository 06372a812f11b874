import type { ConnectionTypeSpec } from '#core/connection/spec.js';
import type { OAuthDiscovery } from '#core/store/entities/oauth-client.entity.js';
import type { OAuthGrant } from '#core/store/entities/oauth-grant.entity.js';

/** The scopes that a consent asks for. */
export function askedScopes(spec: Pick<ConnectionTypeSpec, 'oauth'>, discovery: OAuthDiscovery | null, grant: OAuthGrant | null): string[] {
  const usual = [spec.oauth?.scopes ?? [], discovery?.challengeScopes ?? [], discovery?.scopesSupported ?? []].find((list) => list.length > 0) ?? [];
  return [...new Set([...usual, ...(grant?.wantedScopes ?? [])])];
}

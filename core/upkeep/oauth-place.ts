import type { Discovery } from '../oauth/discovery.js';
import type { OAuthClient, OAuthDiscovery } from '../store/entities/oauth-client.entity.js';

/** Whom a type's logins are issued by, and where their tokens come from: what is sealed for one place goes to no other (design section 7). */
export type OAuthPlace = Pick<OAuthDiscovery, 'issuer' | 'tokenHost'>;

/** Whether two discoveries name the same issuer and token endpoint's host, which are pinned. */
export function samePlace(a: OAuthPlace | null, b: OAuthPlace | null): boolean {
  return a?.issuer === b?.issuer && a?.tokenHost === b?.tokenHost;
}

/** Whether a client, and what was issued to it, is of this place; by its issuer alone where no more was noted. */
export function belongsTo(client: Pick<OAuthClient, 'issuer' | 'tokenHost'>, place: OAuthPlace): boolean {
  return client.issuer === place.issuer && (client.tokenHost === null || client.tokenHost === place.tokenHost);
}

/**
 * What was found, as it may be stored over what was known. Tokens are revoked where they were issued, or where that was said from the beginning: another host that the same place names later gets none, and
 * what was known stays.
 */
export function pinned(found: Discovery, before: OAuthDiscovery | null): Discovery {
  const { revocation_endpoint: endpoint, ...others } = found.metadata;
  if (before === null || !samePlace(before, found) || endpoint === undefined) return found;
  const known = (before.metadata as Discovery['metadata']).revocation_endpoint;
  const { host } = new URL(endpoint);
  return host === found.tokenHost || (known !== undefined && host === new URL(known).host) ? found : { ...found, metadata: known === undefined ? others : { ...others, revocation_endpoint: known } };
}

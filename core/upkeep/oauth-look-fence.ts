import { currentTarget, sameTarget } from '../connection/target.js';
import { canonicalJson } from '../json/canonical.js';
import type { ConnectionType } from '../store/entities/connection-type.entity.js';
import type { OAuthDiscovery } from '../store/entities/oauth-client.entity.js';
import type { Repositories } from '../store/store.js';
import { samePlace } from './oauth-place.js';

/** What a look at a type's OAuth began from. */
export interface LookBegan {
  type: Pick<ConnectionType, 'id' | 'spec'>;
  /** The discovery that was on record then. */
  before: OAuthDiscovery | null;
}

/**
 * What a look may decide when it has ended:
 *
 * | | |
 * |---|---|
 * | `STANDS` | what it began from is what is on record: it decides |
 * | `OVERTAKEN` | another look was stored since it began, and may have seen what is newer: it decides nothing, and is made again |
 * | `MOVED` | the type was deleted, or its address or client was changed: what was seen is of no use, and the change has made the type due |
 */
export type LookStanding = 'STANDS' | 'OVERTAKEN' | 'MOVED';

/** Takes the type's lock, so that the answer holds until the transaction ends. */
export async function standingOf({ type, before }: LookBegan, repositories: Repositories): Promise<LookStanding> {
  const locked = await repositories.connectionTypes.lock(type.id);
  if (locked === null || !sameOAuth(locked.type.spec, type.spec)) return 'MOVED';
  return sameDiscovery(await repositories.oauthClients.discovery(type.id), before) ? 'STANDS' : 'OVERTAKEN';
}

function sameOAuth(a: ConnectionType['spec'], b: ConnectionType['spec']): boolean {
  return sameTarget(currentTarget(a), currentTarget(b)) && canonicalJson(a.oauth ?? null) === canonicalJson(b.oauth ?? null);
}

/** Whether nothing was stored in between: each look that is stored moves the time. */
function sameDiscovery(a: OAuthDiscovery | null, b: OAuthDiscovery | null): boolean {
  return a?.discoveredAt.getTime() === b?.discoveredAt.getTime() && samePlace(a, b);
}

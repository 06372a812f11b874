import { withObservations, type Observation } from '../connection/condition.js';
import { quotePeer } from '../errors.js';
import type { ConnectionType } from '../store/entities/connection-type.entity.js';
import type { Repositories } from '../store/store.js';
import type { OAuthPlace } from './oauth-place.js';

/** The reason of `Authorized` when logins come from another place than this one did: only consent ends it. */
export const ISSUER_CHANGED = 'IssuerChanged';

/** Nothing that was sealed for the old place goes to the new one: every login of the type waits for its owner's consent. For use inside a transaction that holds the type's lock. */
export async function suspendLogins(repositories: Repositories, type: Pick<ConnectionType, 'id' | 'teamId' | 'version'>, from: OAuthPlace, to: OAuthPlace, now: Date): Promise<void> {
  const message = from.issuer === to.issuer
    ? `The tokens of ${quotePeer(to.issuer)} come from ${quotePeer(to.tokenHost)} now, no longer from ${quotePeer(from.tokenHost)}: consent again with startAuthorization.`
    : `The server's logins are issued by ${to.issuer} now, no longer by ${from.issuer}: consent again with startAuthorization.`;
  const observations: Observation[] = [
    { type: 'Authorized', status: 'FALSE', reason: ISSUER_CHANGED, message },
    { type: 'Ready', status: 'FALSE', reason: ISSUER_CHANGED, message },
  ];
  const enrollments = await repositories.enrollments.ofType(type.id);
  for (const status of await repositories.enrollments.statuses(enrollments.map((enrollment) => enrollment.id))) {
    await repositories.enrollments.updateStatus(status.enrollmentId, { conditions: withObservations(status.conditions, observations, type.version, now) });
  }
  await repositories.announce(type.teamId);
}

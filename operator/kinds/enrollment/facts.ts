import { condition } from '#core/connection/condition.js';
import { currentTarget, sameTarget } from '#core/connection/target.js';
import type { Credential } from '#core/store/entities/enrollment.entity.js';
import type { OAuthGrant } from '#core/store/entities/oauth-grant.entity.js';
import type { Store } from '#core/store/store.js';
import type { EnrollmentFacts } from './policies.js';

/** What a credential is. */
export type CredentialKind = Credential['kind'];

/** What counts of the life of a login's tokens. */
export type Grant = Pick<OAuthGrant, 'attemptId' | 'attemptUntil' | 'expiresAt' | 'nextAttemptAt' | 'obtainedAt' | 'outcomeUnknownAt' | 'refreshAt' | 'refreshable'>;

/** Reads everything that is known of an enrollment; null when it is gone. */
export async function gatherFacts(store: Store, id: string): Promise<EnrollmentFacts | null> {
  const [enrollment, [status], [credential], grant, now] = await Promise.all([
    store.enrollments.byId(id), store.enrollments.statuses([id]), store.enrollments.credentials([id]), store.oauthGrants.byId(id), store.now(),
  ]);
  if (enrollment === null || status === undefined || credential === undefined) return null;
  const type = await store.connectionTypes.byId(enrollment.connectionTypeId);
  const [typeStatus] = await store.connectionTypes.statuses([enrollment.connectionTypeId]);
  if (type === null || typeStatus === undefined) return null;
  return {
    kind: credential.kind,
    holdsCredential: credential.kind === 'NONE' || credential.sealed !== null,
    suspended: !sameTarget(enrollment.confirmedTarget, currentTarget(type.spec)),
    conditions: status.conditions,
    triedAt: status.triedAt,
    wantsOwnList: typeStatus.toolsSource === null && status.toolsSyncedAt === null,
    serverReachable: typeStatus.failedChecks === 0 && condition(typeStatus.conditions, 'Reachable')?.status === 'TRUE',
    grant,
    now,
  };
}

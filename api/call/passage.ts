import { condition } from '#core/connection/condition.js';
import { currentTarget, sameTarget } from '#core/connection/target.js';
import { UserFault, type NextAction } from '#core/errors.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Credential, Enrollment, EnrollmentStatus } from '#core/store/entities/enrollment.entity.js';
import type { OAuthGrant } from '#core/store/entities/oauth-grant.entity.js';
import { decideRefresh } from '#core/upkeep/oauth-tokens-decision.js';
import { LOGIN_EXPIRED } from '#core/upkeep/oauth-tokens-observations.js';
import { chooseEnrollment } from './choose-enrollment.js';

/** What is known of an enrollment's login. */
export interface Standing {
  status: EnrollmentStatus;
  credential: Credential;
  /** Of a login that is there: what was granted, and the database's time when it was read. Null for other credentials. */
  life: { grant: OAuthGrant; now: Date } | null;
}

/** Everything that decides whether a call to a connection type gets through, and with which enrollment. */
export interface Situation {
  type: Pick<ConnectionType, 'spec'>;
  /** Whose own enrollments count; null: nobody's, so shared ones only. `name` is null where they are asking themselves. */
  person: { id: string; name: string | null } | null;
  /** Of the type: the person's own, and those that are shared. With {@link asked}, that one is enough. */
  candidates: readonly Enrollment[];
  /** Of the assignment, for the type: the person's, and those for everybody. */
  pins: readonly { memberId: string | null; enrollmentId: string }[];
  /** Of each candidate, by its id; one without is gone. */
  standings: ReadonlyMap<string, Standing>;
  /** The enrollment that was asked for, or null. */
  asked: string | null;
  /** A step that the person takes on our page for this type. */
  link: (label: string) => NextAction;
}

/**
 * The enrollment that a call goes through. This is what calls go by, and what readiness says before they are made: neither asks anything else.
 * @throws {UserFault} `NOT_FOUND` (asked for), `NOT_CONNECTED`, `AMBIGUOUS_ENROLLMENT`, `ENROLLMENT_SUSPENDED`, `ACTION_REQUIRED`
 */
export function passage(situation: Situation): Standing & { enrollment: Enrollment } {
  const { type, person, candidates, pins, standings, asked, link } = situation;
  const enrollment = chooseEnrollment({
    memberId: person?.id ?? null, memberName: person?.name ?? null, typeName: type.spec.displayName, candidates: candidates.filter(({ id }) => standings.has(id)), pins,
    enrollmentId: asked, connect: link(`Connect to ${type.spec.displayName}`), choose: link(`Look at the enrollments for ${type.spec.displayName}`),
  });
  const standing = standings.get(enrollment.id)!;
  const owned = enrollment.ownerId === person?.id;
  refuseUnusable({ type, enrollment, ...standing, owner: !owned ? null : { name: person.name }, link });
  return { enrollment, ...standing };
}

interface Login extends Standing {
  type: Pick<ConnectionType, 'spec'>;
  enrollment: Enrollment;
  /** Null: it is another's. */
  owner: { name: string | null } | null;
  link: (label: string) => NextAction;
}

/** Why an enrollment can't be used now, with what its owner should do. */
function refuseUnusable(login: Login): void {
  const { type, enrollment, status, credential, life, owner, link } = login;
  const name = type.spec.displayName;
  if (!sameTarget(enrollment.confirmedTarget, currentTarget(type.spec))) {
    const message = owner === null
      ? `Where the shared credential for ${name} goes has changed. Its owner has to confirm the new address.`
      : `Where the credential for ${name} goes has changed since ${owner.name ?? 'you'} enrolled. ${owner.name === null ? 'Look at the new address and confirm it.' : `${owner.name} has to confirm the new address.`}`;
    throw new UserFault('ENROLLMENT_SUSPENDED', message, owner === null ? {} : { action: link('Confirm the new address') });
  }
  const cleared = credential.kind !== 'NONE' && credential.sealed === null;
  const authorized = condition(status.conditions, 'Authorized');
  const refused = authorized?.status === 'FALSE';
  // Only its owner can renew it, whether or not anybody has put that on record yet.
  const expired = life !== null && decideRefresh({ ...life, intent: 'USE' }) === 'CONSENT';
  if (!cleared && !refused && !expired) return;
  if (type.spec.authMethod === 'OAUTH') refuseOAuth(login, cleared, refused ? authorized.message : LOGIN_EXPIRED);
  if (owner === null) throw new UserFault('ACTION_REQUIRED', `The shared credential for ${name} no longer works. Its owner has to enter a new one.`);
  const whose = owner.name === null ? 'your credential' : `the credential of ${owner.name}`;
  throw new UserFault('ACTION_REQUIRED', `${cleared ? 'There is no credential' : `The server no longer accepts ${whose}`} for ${name}. Enter a new one.`, { action: link('Enter a new credential') });
}

/** A login that was never made, or that only its owner can renew: the condition says why. */
function refuseOAuth({ type, owner, link }: Login, none: boolean, why: string): never {
  const name = type.spec.displayName;
  if (owner === null) throw new UserFault('ACTION_REQUIRED', `The shared login for ${name} no longer works. Its owner has to sign in again.`);
  const [who, whose] = owner.name === null ? ['You haven\'t', 'Your login'] : [`${owner.name} hasn't`, `The login of ${owner.name}`];
  const message = none ? `${who} signed in to ${name} yet.` : `${whose} for ${name} no longer works. ${why}`.trim();
  throw new UserFault('ACTION_REQUIRED', message, { action: link(none ? 'Sign in' : 'Sign in again') });
}

import { UserFault, type NextAction } from '#core/errors.js';

/** What the choice looks at. */
export interface EnrollmentCandidate {
  id: string;
  label: string;
  ownerId: string;
  shared: boolean;
}

/** The situation in which an enrollment is chosen. */
export interface EnrollmentChoice<T extends EnrollmentCandidate> {
  /** Whose own ones count; null: nobody's. */
  memberId: string | null;
  /** How messages name the member; null where they ask themselves. */
  memberName?: string | null;
  /** The connection type's display name, for messages. */
  typeName: string;
  /** Of this type: the member's own, and those shared with the team. */
  candidates: readonly T[];
  /** The member's pin, and the one for everybody; those of others don't count. */
  pins?: readonly { memberId: string | null; enrollmentId: string }[];
  /** The one that was asked for, or null. */
  enrollmentId: string | null;
  /** What somebody without any should do. */
  connect: NextAction;
  /** What somebody with too many should look at. */
  choose?: NextAction;
}

/**
 * The enrollment that a call goes through: the one asked for, else the one that the member pinned, else the one that is pinned for everybody, else the member's
 * only own one, else the only shared one. A pin of an enrollment that may no longer be used counts for nothing. Another person's unshared enrollment isn't told from one that doesn't exist.
 * @throws {UserFault} `NOT_FOUND`, `AMBIGUOUS_ENROLLMENT`, `NOT_CONNECTED`
 */
export function chooseEnrollment<T extends EnrollmentCandidate>(choice: EnrollmentChoice<T>): T {
  const { memberId, typeName, candidates, enrollmentId, pins = [] } = choice;
  const usable = candidates.filter((candidate) => candidate.ownerId === memberId || candidate.shared);
  if (enrollmentId !== null) {
    const asked = usable.find((candidate) => candidate.id === enrollmentId);
    if (asked === undefined) {
      throw new UserFault('NOT_FOUND', `There is no such enrollment for ${typeName} that you may use. List yours, or leave enrollmentId out.`, { field: ['input', 'enrollmentId'] });
    }
    return asked;
  }
  for (const whose of memberId === null ? [null] : [memberId, null]) {
    const pin = pins.find((candidate) => candidate.memberId === whose);
    const pinned = usable.find((candidate) => candidate.id === pin?.enrollmentId && (whose !== null || candidate.shared));
    if (pinned !== undefined) return pinned;
  }
  const own = usable.filter((candidate) => candidate.ownerId === memberId);
  const left = own.length > 0 ? own : usable;
  if (left.length > 1) throw ambiguous(choice, left, own.length > 0);
  if (left[0] === undefined) throw notConnected(choice);
  return left[0];
}

function ambiguous({ memberName, typeName, choose }: EnrollmentChoice<EnrollmentCandidate>, left: readonly EnrollmentCandidate[], own: boolean): UserFault {
  // Labels of somebody's own enrollments are theirs to see.
  const labels = own && memberName != null ? '' : `: ${left.map((candidate) => JSON.stringify(candidate.label)).join(', ')}`;
  const who = !own ? 'The team shares' : memberName == null ? 'You have' : `${memberName} has`;
  return new UserFault('AMBIGUOUS_ENROLLMENT', `${who} several enrollments for ${typeName}${labels}. Say which one with enrollmentId, or pin one for the assignment.`,
    { field: ['input', 'enrollmentId'], ...(choose === undefined ? {} : { action: choose }) });
}

function notConnected({ memberId, memberName, typeName, connect }: EnrollmentChoice<EnrollmentCandidate>): UserFault {
  const message = memberId === null
    ? `No enrollment for ${typeName} is shared with the team, and nobody is named on whose behalf to call. A manager shares one, or somebody creates a token with onBehalfOf.`
    : memberName == null
      ? `You are not connected to ${typeName} yet. Enroll, then call again.`
      : `${memberName} is not connected to ${typeName} yet. ${memberName} has to enroll.`;
  return new UserFault('NOT_CONNECTED', message, { action: connect });
}

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
  memberId: string;
  /** The connection type's display name, for messages. */
  typeName: string;
  /** Of this type: the member's own, and those shared with the team. */
  candidates: readonly T[];
  /** The one that was asked for, or null. */
  enrollmentId: string | null;
  /** What somebody without any should do. */
  connect: NextAction;
}

/**
 * The enrollment that a call goes through: the one asked for, else the caller's only own one, else the only shared one.
 * Another person's unshared enrollment isn't told from one that doesn't exist.
 * @throws {UserFault} `NOT_FOUND`, `AMBIGUOUS_ENROLLMENT`, `NOT_CONNECTED`
 */
export function chooseEnrollment<T extends EnrollmentCandidate>(choice: EnrollmentChoice<T>): T {
  const { memberId, typeName, candidates, enrollmentId } = choice;
  const usable = candidates.filter((candidate) => candidate.ownerId === memberId || candidate.shared);
  if (enrollmentId !== null) {
    const asked = usable.find((candidate) => candidate.id === enrollmentId);
    if (asked === undefined) {
      throw new UserFault('NOT_FOUND', `There is no such enrollment for ${typeName} that you may use. List yours, or leave enrollmentId out.`, { field: ['input', 'enrollmentId'] });
    }
    return asked;
  }
  const own = usable.filter((candidate) => candidate.ownerId === memberId);
  const left = own.length > 0 ? own : usable;
  if (left.length > 1) {
    const labels = left.map((candidate) => JSON.stringify(candidate.label)).join(', ');
    throw new UserFault('AMBIGUOUS_ENROLLMENT', `${own.length > 0 ? 'You have' : 'The team shares'} several enrollments for ${typeName}: ${labels}. Say which one with enrollmentId.`, { field: ['input', 'enrollmentId'] });
  }
  if (left[0] === undefined) {
    throw new UserFault('NOT_CONNECTED', `You are not connected to ${typeName} yet. Enroll, then call again.`, { action: choice.connect });
  }
  return left[0];
}

import { createHash } from 'node:crypto';
import { UserFault } from '#core/errors.js';
import type { ToolCall } from '#core/store/entities/tool-call.entity.js';
import type { Membership, Principal } from '../identity/principal.js';
import type { CallRequest } from './call-request.js';

/** For whom a call is made, in one team. */
export interface Actor {
  /** Whose enrollments it may go through besides shared ones; null: nobody's. */
  personId: string | null;
  /** What the call is for; null for a person's own call. */
  assignmentId: string | null;
  /** Whether it is made by a program, on that person's behalf. */
  onBehalfOf: boolean;
}

/**
 * For whom a request is made by this member, or by their assignment's token.
 * @throws {UserFault} `NOT_FOUND` for another assignment than the token's
 */
export function actorOf({ principal, assignmentId }: Pick<CallRequest, 'principal' | 'assignmentId'>, { memberId }: Membership): Actor {
  const scope = principal.assignment ?? null;
  if (scope === null) return { personId: memberId, assignmentId: assignmentId ?? null, onBehalfOf: false };
  if (assignmentId != null && assignmentId !== scope.id) throw unknownAssignment();
  return { personId: scope.onBehalfOf ? memberId : null, assignmentId: scope.id, onBehalfOf: scope.onBehalfOf };
}

/** Tells apart whom calls are made for: what is resolved for one isn't used for another. */
export function actorKey({ personId, assignmentId }: Actor): string {
  return `${personId ?? 'nobody'}|${assignmentId ?? 'own'}`;
}

/** In which an idempotency key is unique: team, member, and the assignment with whether it is on their behalf. A token acts as its member, so that a new one finds the calls of the old. */
export function idempotencyScope(request: Pick<CallRequest, 'principal' | 'assignmentId'>, membership: Membership): Buffer {
  const { teamId, memberId } = membership;
  const { personId, assignmentId } = actorOf(request, membership);
  const text = assignmentId === null ? `idempotency/1 ${teamId} ${memberId}` : `idempotency/2 ${teamId} ${memberId} ${assignmentId} ${personId ?? ''} ${request.principal.assignment == null}`;
  return createHash('sha256').update(text).digest();
}

/** Whether a record is of this principal's own calls, as the member or the assignment that they act as. */
export function madeBy(principal: Principal, { memberId }: Membership, record: Pick<ToolCall, 'callerId' | 'onBehalfOfId' | 'assignmentId' | 'tokenId'>): boolean {
  const scope = principal.assignment ?? null;
  if (scope === null) return record.callerId === memberId || record.onBehalfOfId === memberId;
  // What the person called for it themselves, signed in, isn't the program's to read: it may have gone through their own enrollment.
  return record.assignmentId === scope.id && record.callerId === memberId && record.tokenId !== null && (record.onBehalfOfId !== null) === scope.onBehalfOf;
}

/** The fault of an assignment that isn't there, or isn't the caller's to use. */
export function unknownAssignment(field = ['input', 'assignmentId']): UserFault {
  return new UserFault('NOT_FOUND', 'There is no such assignment: list the team\'s assignments for the ids that there are.', { field });
}

import { UserFault } from '#core/errors.js';
import { roleAtLeast, type Role } from '#core/connection/role.js';
import type { Origin } from '#core/connection/spec.js';
import type { Assignment } from '#core/store/entities/assignment.entity.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Team } from '#core/store/entities/team.entity.js';
import type { Repositories } from '#core/store/store.js';
import { uuidOf } from './graphql/node-id.js';
import { callingAs, membershipIn, type Membership, type Principal } from './identity/principal.js';

/**
 * Who may reach what. An id of another team is indistinguishable from an unknown one: both are NOT_FOUND,
 * with the same message; a role that is too low is FORBIDDEN.
 */

/** Throws FORBIDDEN, naming the role that would do. */
export function requireRole(membership: Membership, least: Role, todo: string): void {
  if (!roleAtLeast(membership.role, least)) {
    throw new UserFault('FORBIDDEN', `${todo} takes the role ${least} in this team; yours is ${membership.role}. Ask an administrator of the team.`);
  }
}

/** What is declared in a manifest is changed there. Throws MANAGED_BY_MANIFEST with the manifest's place, or the way to take over what has none any more. */
export async function requireOwnOrigin(repositories: Repositories, { id, origin }: { id: string; origin: Origin }, field = ['input', 'id']): Promise<void> {
  if (origin === 'API') return;
  const binding = await repositories.mirrorObjects.bySubject(id);
  const message = binding?.state === 'ACTIVE'
    ? `The Kubernetes object ${binding.namespace}/${binding.name} owns this: change it there, for example with kubectl -n ${binding.namespace} edit ${binding.kind.toLowerCase()} ${binding.name}.`
    : 'It was declared by a manifest that is gone: a manager takes it over with takeOwnership.';
  throw new UserFault('MANAGED_BY_MANIFEST', message, { field });
}

/** The team of that slug with the caller's membership. Throws NOT_FOUND for strangers. */
export async function teamBySlug(repositories: Repositories, principal: Principal, slug: string, field = ['input', 'team']): Promise<{ team: Team; membership: Membership }> {
  const membership = principal.memberships.find((candidate) => candidate.teamSlug === slug);
  const team = membership === undefined ? null : await repositories.teams.bySlug(slug);
  if (team === null || membership === undefined) throw new UserFault('NOT_FOUND', 'There is no such team, or you are not a member of it.', { field });
  return { team, membership };
}

/** As {@link teamBySlug}, for keeping members: administrators of the installation keep those of every team, since a team that a namespace made has none at first. */
export async function teamToAdminister(repositories: Repositories, principal: Principal, slug: string, todo: string): Promise<Team> {
  const outside = principal.installationAdmin && principal.memberships.every((one) => one.teamSlug !== slug) ? await repositories.teams.bySlug(slug) : null;
  if (outside !== null) return outside;
  const { team, membership } = await teamBySlug(repositories, principal, slug);
  requireRole(membership, 'ADMIN', todo);
  return team;
}

/** The connection type of that global id with the caller's membership in its team. Throws NOT_FOUND. */
export async function connectionTypeById(repositories: Repositories, principal: Principal, id: string, field = ['input', 'id']): Promise<{ type: ConnectionType; membership: Membership }> {
  const uuid = uuidOf('ConnectionType', id);
  const type = uuid === null ? null : await repositories.connectionTypes.byId(uuid);
  const membership = type === null ? null : membershipIn(principal, type.teamId);
  if (type === null || membership === null) throw new UserFault('NOT_FOUND', 'There is no such connection type: list the team\'s connectionTypes for the ids that there are.', { field });
  return { type, membership };
}

/** The assignment of that global id, for members of its team and for its own tokens. Throws NOT_FOUND. */
export async function assignmentById(repositories: Repositories, principal: Principal, id: string, field = ['input', 'id']): Promise<{ assignment: Assignment; membership: Membership }> {
  const uuid = uuidOf('Assignment', id);
  const assignment = uuid === null || (principal.assignment != null && principal.assignment.id !== uuid) ? null : await repositories.assignments.byId(uuid);
  const membership = callingAs(principal).find((candidate) => candidate.teamId === assignment?.teamId);
  if (assignment === null || membership === undefined) throw new UserFault('NOT_FOUND', 'There is no such assignment: list the team\'s assignments for the ids that there are.', { field });
  return { assignment, membership };
}

/** An enrollment that the caller may see: their own, or one that is shared with their team. Throws NOT_FOUND. */
export async function enrollmentById(repositories: Repositories, principal: Principal, id: string, field = ['input', 'id']): Promise<{ enrollment: Enrollment; membership: Membership; owned: boolean }> {
  const uuid = uuidOf('Enrollment', id);
  const enrollment = uuid === null ? null : await repositories.enrollments.byId(uuid);
  const membership = enrollment === null ? null : membershipIn(principal, enrollment.teamId);
  const owned = membership !== null && enrollment?.ownerId === membership.memberId;
  if (enrollment === null || membership === null || !(owned || enrollment.shared)) {
    throw new UserFault('NOT_FOUND', 'There is no such enrollment: list the team\'s enrollments for the ids that there are.', { field });
  }
  return { enrollment, membership, owned };
}

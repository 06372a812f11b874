import { z } from 'zod';
import { roleAtLeast } from '#core/connection/role.js';
import { displayName, toolPattern } from '#core/connection/spec.js';
import { UserFault } from '#core/errors.js';
import { isUniqueViolation } from '#core/store/conflict.js';
import type { Assignment } from '#core/store/entities/assignment.entity.js';
import type { NewSlot } from '#core/store/assignments.js';
import type { Repositories, Store } from '#core/store/store.js';
import { assignmentById, enrollmentById, requireRole, teamBySlug } from '../../access.js';
import { parseInput } from '../../graphql/parse-input.js';
import { uuidOf } from '../../graphql/node-id.js';
import type { Act } from '../../mutation.js';
import type { AssignmentSlotInput, CreateAssignmentInput, DeleteAssignmentInput, PinEnrollmentInput, UnpinEnrollmentInput, UpdateAssignmentInput } from './assignment.input.js';

const patterns = z.array(toolPattern).max(500, 'At most 500 entries.');
const slotInputs = z.array(z.object({
  connectionTypeId: z.string(),
  allowedTools: patterns.min(1, 'Name at least one tool; for all, leave it out.').nullish().transform((tools) => tools ?? null),
  requireApproval: patterns.nullish().transform((tools) => tools ?? []),
})).max(50, 'At most 50 slots.');

/** Rules of assignments: managers keep them; members pin their own enrollments, managers the shared ones (design section 5). */
export class AssignmentManager {
  constructor(private readonly store: Store) {}

  async create(act: Act, input: CreateAssignmentInput): Promise<Assignment> {
    const { team, membership } = await teamBySlug(this.store, act.context.principal, input.team);
    act.about(team.id);
    requireRole(membership, 'MANAGER', 'Adding assignments');
    const name = parseInput(displayName, input.name, ['input', 'name']);
    const slots = await this.#slots(team.id, input.slots);
    return named(name, act.commit(async (repositories) => {
      const assignment = await repositories.assignments.insert(team.id, name, slots);
      act.about(team.id, { type: 'Assignment', id: assignment.id, name });
      return assignment;
    }));
  }

  async update(act: Act, input: UpdateAssignmentInput): Promise<Assignment> {
    const assignment = await this.#editable(act, input.id, 'Changing assignments');
    if (assignment.version !== input.expectedVersion) throw staleOrGone(assignment);
    const name = input.name == null ? assignment.name : parseInput(displayName, input.name, ['input', 'name']);
    const slots = input.slots == null ? null : await this.#slots(assignment.teamId, input.slots);
    return named(name, act.commit(async ({ assignments }) => {
      if (!(await assignments.update(assignment.id, input.expectedVersion, { name, slots }))) throw staleOrGone(await assignments.byId(assignment.id));
      return (await assignments.byId(assignment.id))!;
    }));
  }

  async delete(act: Act, input: DeleteAssignmentInput): Promise<void> {
    const assignment = await this.#editable(act, input.id, 'Deleting assignments');
    await act.commit(async ({ assignments }) => {
      if (!(await assignments.remove(assignment.id))) throw staleOrGone(null);
    });
  }

  /** One's own enrollment for oneself; a shared one, by managers, for everybody. */
  async pin(act: Act, input: PinEnrollmentInput): Promise<Assignment> {
    const { assignment, enrollment, owned, manager } = await this.#pinnable(act, input);
    if (!owned && !manager) throw new UserFault('FORBIDDEN', 'Pinning a shared enrollment takes the role MANAGER: pin one of your own, or ask a manager.', { field: ['input', 'enrollmentId'] });
    const memberId = enrollment.shared && manager ? null : enrollment.ownerId;
    return act.commit(async (repositories) => {
      await lockSlot(repositories, assignment.id, enrollment.connectionTypeId);
      await repositories.assignments.pin({ assignmentId: assignment.id, connectionTypeId: enrollment.connectionTypeId, memberId, enrollmentId: enrollment.id });
      return assignment;
    });
  }

  /** Members end their own pins, managers also those for everybody. */
  async unpin(act: Act, input: UnpinEnrollmentInput): Promise<Assignment> {
    const { assignment, enrollment, memberId, manager } = await this.#pinnable(act, input);
    return act.commit(async ({ assignments }) => {
      const own = await assignments.unpin(assignment.id, enrollment.id, memberId);
      const common = manager && (await assignments.unpin(assignment.id, enrollment.id, null));
      if (own || common) return assignment;
      const pins = await assignments.pins([assignment.id], null);
      if (pins.some((pin) => pin.enrollmentId === enrollment.id)) throw new UserFault('FORBIDDEN', 'Ending a pin for everybody takes the role MANAGER: ask a manager.', { field: ['input', 'enrollmentId'] });
      throw new UserFault('NOT_FOUND', 'This enrollment isn\'t pinned for the assignment.', { field: ['input', 'enrollmentId'] });
    });
  }

  async #editable(act: Act, id: string, todo: string): Promise<Assignment> {
    const { assignment, membership } = await assignmentById(this.store, act.context.principal, id);
    act.about(assignment.teamId, { type: 'Assignment', id: assignment.id, name: assignment.name });
    requireRole(membership, 'MANAGER', todo);
    return assignment;
  }

  async #pinnable(act: Act, input: PinEnrollmentInput) {
    const { principal } = act.context;
    const { assignment } = await assignmentById(this.store, principal, input.assignmentId, ['input', 'assignmentId']);
    act.about(assignment.teamId, { type: 'Assignment', id: assignment.id, name: assignment.name });
    const { enrollment, membership, owned } = await enrollmentById(this.store, principal, input.enrollmentId, ['input', 'enrollmentId']);
    if ((await this.store.assignments.slot(assignment.id, enrollment.connectionTypeId)) === null) throw noSlot();
    return { assignment, enrollment, owned, memberId: membership.memberId, manager: roleAtLeast(membership.role, 'MANAGER') };
  }

  /** With the types that they name, which are the team's. */
  async #slots(teamId: string, inputs: readonly AssignmentSlotInput[]): Promise<NewSlot[]> {
    const slots = parseInput(slotInputs, inputs, ['input', 'slots']);
    const ids = slots.map((slot) => uuidOf('ConnectionType', slot.connectionTypeId));
    const known = new Set((await this.store.connectionTypes.byIds(ids.filter((id) => id !== null))).filter((type) => type.teamId === teamId).map((type) => type.id));
    return slots.map((slot, index) => {
      const id = ids[index]!;
      const field = ['input', 'slots', String(index), 'connectionTypeId'];
      if (id === null || !known.has(id)) throw new UserFault('NOT_FOUND', 'There is no such connection type: list the team\'s connectionTypes for the ids that there are.', { field });
      if (ids.indexOf(id) < index) throw new UserFault('INVALID', 'Each connection type has one slot: this one is named twice.', { field });
      return { ...slot, connectionTypeId: id };
    });
  }
}

/** The slot can't go until the transaction ends. */
async function lockSlot({ assignments }: Repositories, assignmentId: string, connectionTypeId: string): Promise<void> {
  if (!(await assignments.lockSlot(assignmentId, connectionTypeId))) throw noSlot();
}

function noSlot(): UserFault {
  return new UserFault('INVALID', 'The assignment has no slot for this enrollment\'s connection type: a manager adds one with updateAssignment.', { field: ['input', 'enrollmentId'] });
}

async function named(name: string, commit: Promise<Assignment>): Promise<Assignment> {
  try {
    return await commit;
  } catch (error) {
    if (isUniqueViolation(error)) throw new UserFault('ALREADY_EXISTS', `The team has an assignment ${JSON.stringify(name)} already: choose another name.`, { field: ['input', 'name'] });
    throw error;
  }
}

function staleOrGone(current: Assignment | null): UserFault {
  return current === null
    ? new UserFault('NOT_FOUND', 'The assignment was deleted meanwhile.', { field: ['input', 'id'] })
    : new UserFault('STALE_VERSION', `The assignment was changed since you read it: it is at version ${current.version} now. Read it again, then repeat your change.`, { field: ['input', 'expectedVersion'] });
}

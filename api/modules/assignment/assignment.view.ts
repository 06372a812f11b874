import type { Assignment } from '#core/store/entities/assignment.entity.js';
import type { Context } from '../../context.js';
import { nodeId } from '../../graphql/node-id.js';
import { callingAs, type Principal } from '../../identity/principal.js';
import { connectionTypeView } from '../connection-type/connection-type.view.js';
import { enrollmentView } from '../enrollment/enrollment.view.js';
import { memberView } from '../team/team.view.js';

/** An assignment as GraphQL shows it to this viewer; what hangs on it is loaded when it is selected. */
export function assignmentView(assignment: Assignment, context: Context) {
  const { loaders, principal } = context;
  return {
    __typename: 'Assignment' as const,
    id: nodeId('Assignment', assignment.id),
    assignment,
    name: assignment.name,
    version: assignment.version,
    createdAt: assignment.createdAt,
    updatedAt: assignment.updatedAt,
    slots: async () => {
      const slots = await loaders.assignmentSlots.load(assignment.id);
      const types = await Promise.all(slots.map((slot) => loaders.connectionType.load(slot.connectionTypeId)));
      return slots.flatMap(({ allowedTools, requireApproval }, index) => {
        const type = types[index];
        return type == null ? [] : [{ connectionType: connectionTypeView(type, context), allowedTools, requireApproval }];
      });
    },
    pins: async () => {
      const pins = await loaders.assignmentPins.load({ assignmentId: assignment.id, memberId: personOf(principal, assignment.teamId) });
      const rows = await Promise.all(pins.map(async (pin) => {
        const [enrollment, member] = await Promise.all([loaders.enrollment.load(pin.enrollmentId), pin.memberId === null ? null : loaders.member.load(pin.memberId)]);
        // One that is no longer shared counts for nobody any more, and isn't everybody's to see.
        const counts = enrollment !== null && (pin.memberId === null ? enrollment.shared : member !== null);
        return counts ? [{ member: member === null ? null : memberView(member), enrollment: enrollmentView(enrollment, context) }] : [];
      }));
      return rows.flat();
    },
  };
}
export type AssignmentView = ReturnType<typeof assignmentView>;

/** Whose enrollments the viewer's calls go through in a team; null: nobody's. */
export function personOf(principal: Principal, teamId: string): string | null {
  if (principal.assignment?.onBehalfOf === false) return null;
  return callingAs(principal).find((membership) => membership.teamId === teamId)?.memberId ?? null;
}

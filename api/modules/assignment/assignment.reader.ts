import { UserFault } from '#core/errors.js';
import { roleAtLeast } from '#core/connection/role.js';
import type { Assignment } from '#core/store/entities/assignment.entity.js';
import type { Store } from '#core/store/store.js';
import { toolAllowed } from '#core/tool/policy.js';
import { hintsOf, needsApproval } from '../../call/approval-rule.js';
import type { Situation } from '../../call/passage.js';
import { Readiness, type SlotReadiness } from '../../call/readiness.js';
import type { Context } from '../../context.js';
import { uuidOf } from '../../graphql/node-id.js';
import { membershipIn } from '../../identity/principal.js';
import { connectionTypeView } from '../connection-type/connection-type.view.js';
import { toolView } from '../tool/tool.view.js';
import { personOf } from './assignment.view.js';

/** What an assignment's calls would find: connections, and tools. */
export class AssignmentReader {
  constructor(private readonly store: Store) {}

  /** For the viewer or, for managers, a member. @throws {UserFault} `FORBIDDEN`, `NOT_FOUND` */
  async readiness(assignment: Assignment, memberId: string | null, context: Context) {
    const slots = await this.#slots(assignment, memberId === null ? self(context, assignment) : await this.#member(assignment, memberId, context), context);
    const problems = slots.flatMap(({ type, problem }) => (problem === null ? [] : [{
      code: problem.code, message: problem.publicMessage, action: problem.action, connectionType: connectionTypeView(type, context),
    }]));
    return { ready: problems.length === 0, problems };
  }

  /** Those that the viewer's calls could name, slot by slot and by name. Of a slot whose list is each login's own, and that isn't connected, none are known. */
  async tools(assignment: Assignment, context: Context) {
    const [slots, team] = await Promise.all([this.#slots(assignment, self(context, assignment), context), context.loaders.team.load(assignment.teamId)]);
    const statuses = await Promise.all(slots.map(({ type }) => context.loaders.typeStatus.load(type.id)));
    const scopes = slots.map(({ type, enrollment }, index) => (statuses[index]?.toolsSource == null ? enrollment?.id ?? null : type.id));
    const tools = Map.groupBy(await this.store.tools.inScopes(scopes.filter((id) => id !== null)), (tool) => tool.scopeId);
    return slots.flatMap(({ slot, type, problem }, index) => {
      const { toolPolicy } = type.spec;
      return (tools.get(scopes[index] ?? '') ?? []).filter((tool) => slot.allowedTools === null || toolAllowed({ allow: slot.allowedTools }, tool.name)).map((tool) => {
        const shown = toolView(tool, toolPolicy);
        return {
          connectionType: connectionTypeView(type, context), tool: shown, callable: problem === null && shown.state === 'CALLABLE',
          requiresApproval: needsApproval({
            tool: tool.name, hints: hintsOf(shown.annotations), trusted: toolPolicy.trustAnnotations, destructiveTools: team?.destructiveTools ?? 'REQUIRE_APPROVAL',
            requireApproval: slot.requireApproval,
          }),
        };
      });
    });
  }

  async #slots(assignment: Assignment, person: Situation['person'], context: Context): Promise<SlotReadiness[]> {
    const slug = (await context.loaders.team.load(assignment.teamId))?.slug;
    return new Readiness(this.store, (type, label) => ({ label, url: slug === undefined ? null : context.links.enroll(slug, type.name) })).of(assignment, person);
  }

  async #member(assignment: Assignment, id: string, { principal }: Context): Promise<Situation['person']> {
    const uuid = uuidOf('Member', id);
    const membership = membershipIn(principal, assignment.teamId);
    const own = personOf(principal, assignment.teamId);
    if (uuid !== null && uuid === own) return { id: uuid, name: principal.assignment == null ? null : principal.displayName };
    if (membership === null || !roleAtLeast(membership.role, 'MANAGER')) throw new UserFault('FORBIDDEN', 'Only managers ask for other members: leave "memberId" out.', { field: ['memberId'] });
    const member = uuid === null ? null : await this.store.members.inTeam(assignment.teamId, uuid);
    if (member === null) throw new UserFault('NOT_FOUND', 'There is no such member in this team: list its members for the ids that there are.', { field: ['memberId'] });
    return { id: member.id, name: member.displayName };
  }
}

function self({ principal }: Context, { teamId }: Assignment): Situation['person'] {
  const id = personOf(principal, teamId);
  return id === null ? null : { id, name: principal.assignment == null ? null : principal.displayName };
}

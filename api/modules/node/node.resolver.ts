import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql';
import { roleAtLeast } from '#core/connection/role.js';
import type { Store } from '#core/store/store.js';
import { assignmentById, connectionTypeById, enrollmentById } from '../../access.js';
import type { CallService } from '../../call/call-service.js';
import type { Context } from '../../context.js';
import { parseNodeId } from '../../graphql/node-id.js';
import { nullIfUnknown } from '../../graphql/null-if-unknown.js';
import { membershipIn } from '../../identity/principal.js';
import { assignmentView } from '../assignment/assignment.view.js';
import { auditEventView } from '../audit/audit.resolver.js';
import { connectionTypeView } from '../connection-type/connection-type.view.js';
import { enrollmentView } from '../enrollment/enrollment.view.js';
import { NodeType } from '../team/team.type.js';
import { memberView, teamView } from '../team/team.view.js';
import { tokenView } from '../token/token.manager.js';
import { toolCallView } from '../tool-call/tool-call.view.js';
import type { ToolManager } from '../tool/tool.manager.js';
import { toolView } from '../tool/tool.view.js';

/** Any object by its global id, with the same rules as by its own query. */
@Resolver()
export class NodeResolver {
  constructor(private readonly store: Store, private readonly tools: ToolManager, private readonly calls: CallService) {}

  @Query(() => NodeType, { nullable: true, description: 'Any object in the caller\'s reach, by its global id; null for any other id.' })
  node(@Ctx() context: Context, @Arg('id', () => ID, { description: 'Which one.' }) id: string): Promise<object | null> {
    return nullIfUnknown(() => this.look(context, id));
  }

  private async look(context: Context, id: string): Promise<object | null> {
    const { principal, loaders } = context;
    const parsed = parseNodeId(id);
    switch (parsed?.type) {
      case 'Team': {
        const team = membershipIn(principal, parsed.id) === null ? null : await loaders.team.load(parsed.id);
        return team === null ? null : teamView(team);
      }
      case 'Member': {
        const member = await loaders.member.load(parsed.id);
        return member === null || membershipIn(principal, member.teamId) === null ? null : memberView(member);
      }
      case 'Token': {
        const token = await this.store.tokens.byId(parsed.id);
        const membership = token?.teamId == null ? null : membershipIn(principal, token.teamId);
        const visible = token !== null && membership !== null && (membership.role === 'ADMIN' || [token.creatorId, token.memberId].includes(membership.memberId));
        return visible ? tokenView(token) : null;
      }
      case 'ConnectionType':
        return connectionTypeView((await connectionTypeById(this.store, principal, id)).type, context);
      case 'Enrollment':
        return enrollmentView((await enrollmentById(this.store, principal, id)).enrollment, context);
      case 'Tool': {
        const { tool, type } = await this.tools.visible(principal, id, ['id']);
        return toolView(tool, type.spec.toolPolicy);
      }
      case 'ToolCall': {
        const view = await this.calls.get(principal, parsed.id);
        return view === null ? null : toolCallView(view, context);
      }
      case 'Assignment':
        return assignmentView((await assignmentById(this.store, principal, id)).assignment, context);
      case 'AuditEvent': {
        const event = await this.store.audit.byId(parsed.id);
        const membership = event?.teamId == null ? null : membershipIn(principal, event.teamId);
        return event !== null && membership !== null && roleAtLeast(membership.role, 'MANAGER') ? auditEventView(event) : null;
      }
      default:
        return null;
    }
  }
}

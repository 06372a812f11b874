import { Args, Ctx, Field, FieldResolver, ObjectType, Resolver, Root } from 'type-graphql';
import type { AuditEvent, AuditOutcome } from '#core/store/entities/audit-event.entity.js';
import { isId } from '#core/store/ids.js';
import type { Store } from '#core/store/store.js';
import { requireRole } from '../../access.js';
import type { Context } from '../../context.js';
import { enumType } from '../../graphql/enum-type.js';
import { nodeId } from '../../graphql/node-id.js';
import { connectionType, connectionView, PageArgs, pageRequest } from '../../graphql/pagination.js';
import { DateTimeScalar } from '../../graphql/scalars.js';
import { UserErrorCode } from '../../graphql/user-error.type.js';
import { membershipIn } from '../../identity/principal.js';
import { NodeType, TeamType } from '../team/team.type.js';
import type { TeamView } from '../team/team.view.js';

export const AuditOutcomeEnum = enumType<AuditOutcome>('AuditOutcome', 'How an audited act ended.', {
  SUCCEEDED: 'It was done.',
  REFUSED: 'It was refused; `code` says why.',
  FAILED: 'It failed through a fault of Fairlead.',
});

@ObjectType('AuditEvent', { implements: NodeType, description: 'Who did what, and how it ended. Calls that were made are in `toolCalls`.', simpleResolvers: true })
export class AuditEventType extends NodeType {
  @Field(() => String, { description: 'Who, as they were named at the time.' }) actorName!: string;
  @Field(() => String, { nullable: true, description: 'On whose behalf, if that is somebody else.' }) onBehalfOfName!: string | null;
  @Field(() => String, { description: 'The mutation\'s name.' }) action!: string;
  @Field(() => String, { nullable: true, description: 'What kind of object.' }) subjectType!: string | null;
  @Field(() => String, { nullable: true, description: 'Which one, as it was named at the time.' }) subjectName!: string | null;
  @Field(() => AuditOutcomeEnum, { description: 'How it ended.' }) outcome!: string;
  @Field(() => UserErrorCode, { nullable: true, description: 'Why it was refused.' }) code!: string | null;
  @Field(() => String, { description: 'The request\'s id, as in the logs.' }) requestId!: string;
  @Field(() => DateTimeScalar, { description: 'When.' }) occurredAt!: Date;
}

export const AuditEventPage = connectionType(() => AuditEventType, 'AuditEvent');

/** The audit trail of a team. */
@Resolver(() => TeamType)
export class TeamAuditResolver {
  constructor(private readonly store: Store) {}

  @FieldResolver(() => AuditEventPage, { nullable: true, description: 'Who did what, newest first. For managers; null, with an error, for others.' })
  async auditEvents(@Root() team: TeamView, @Args(() => PageArgs) args: PageArgs, @Ctx() context: Context) {
    requireRole(membershipIn(context.principal, team.teamId)!, 'MANAGER', 'Reading the audit trail');
    const request = pageRequest(args, isId);
    const page = await this.store.audit.page(team.teamId, request);
    return connectionView(page, request, (event) => event.id, auditEventView, () => this.store.audit.count(team.teamId));
  }
}

/** An event as GraphQL shows it. */
export function auditEventView(event: AuditEvent) {
  const { actorName, onBehalfOfName, action, subjectType, subjectName, outcome, code, requestId, occurredAt } = event;
  return { __typename: 'AuditEvent' as const, id: nodeId('AuditEvent', event.id), actorName, onBehalfOfName, action, subjectType, subjectName, outcome, code, requestId, occurredAt };
}

import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import { z } from 'zod';
import { isProse } from '#core/connection/text.js';
import { UserFault } from '#core/errors.js';
import type { Commit } from '../../call/approver.js';
import type { CallService } from '../../call/call-service.js';
import type { Context } from '../../context.js';
import { uuidOf } from '../../graphql/node-id.js';
import { connectionView, PageArgs, pageRequest } from '../../graphql/pagination.js';
import { parseInput } from '../../graphql/parse-input.js';
import type { Act, Mutations } from '../../mutation.js';
import type { UserError } from '../../graphql/user-error.type.js';
import { userError } from '../../graphql/user-error.type.js';
import { TeamType } from '../team/team.type.js';
import type { TeamView } from '../team/team.view.js';
import {
  ApproveToolCallInput, ApproveToolCallPayload, DenyToolCallInput, DenyToolCallPayload, CallToolInput, CallToolPayload, CancelToolCallInput, CancelToolCallPayload, ToolCallFilter, ToolCallPage, ToolCallType,
} from './tool-call.type.js';
import { toolCallView } from './tool-call.view.js';

const comment = z.string().trim().max(1000, 'At most 1,000 characters.').refine(isProse, 'No control characters.');

/** Calls. Refused and made calls are on record through the call service, not through `Mutations`: no transaction stands in a call's way. */
@Resolver(() => ToolCallType)
export class ToolCallResolver {
  constructor(private readonly calls: CallService, private readonly mutations: Mutations) {}

  @Query(() => ToolCallType, { nullable: true, description: 'A call that the viewer made, or that was made in a team that they manage; null for any other id.' })
  async toolCall(@Ctx() context: Context, @Arg('id', () => ID, { description: 'Which one.' }) id: string) {
    const uuid = uuidOf('ToolCall', id);
    const view = uuid === null ? null : await this.calls.get(context.principal, uuid);
    return view === null ? null : toolCallView(view, context);
  }

  @Mutation(() => CallToolPayload, { description: 'Calls a tool with the caller\'s enrollment. What is refused before anything was sent is a userError; what happens after is in `toolCall.error`.' })
  callTool(@Ctx() context: Context, @Arg('input', () => CallToolInput, { description: 'The call.' }) input: CallToolInput) {
    return answer(context, async () => {
      const { principal, requestId, signal, slot, hold } = context;
      const view = await this.calls.call({
        principal, requestId, signal, slot, hold, teamSlug: input.team, connectionType: input.connectionType, connectionTypeId: decoded('ConnectionType', input.connectionTypeId),
        tool: input.tool, arguments: input.arguments ?? {}, enrollmentId: decoded('Enrollment', input.enrollmentId),
        assignmentId: decoded('Assignment', input.assignmentId), idempotencyKey: input.idempotencyKey,
        timeoutMs: input.timeoutMs, wait: input.wait,
      });
      return { toolCall: toolCallView(view, context) };
    });
  }

  @Mutation(() => CancelToolCallPayload, { description: 'Cancels a running call, whichever process it runs in. For its caller, and managers of the team.' })
  cancelToolCall(@Ctx() context: Context, @Arg('input', () => CancelToolCallInput, { description: 'Which one.' }) input: CancelToolCallInput) {
    return this.mutations.run(context, 'cancelToolCall', async (act) => {
      const id = decoded('ToolCall', input.id)!;
      // Who may not see it is refused by the service, and that is on record, too.
      if (await this.#about(act, id)) await act.note();
      const view = await this.calls.cancel(context.principal, id);
      context.loaders.forget();
      return { toolCall: toolCallView(view, context) };
    });
  }

  @Mutation(() => ApproveToolCallPayload, { description: 'Approves a call that waits, which then runs. For managers of the team who didn\'t make it, and on whose behalf it isn\'t made.' })
  approveToolCall(@Ctx() context: Context, @Arg('input', () => ApproveToolCallInput, { description: 'Which one.' }) input: ApproveToolCallInput) {
    return this.#decide(context, 'approveToolCall', input);
  }

  @Mutation(() => DenyToolCallPayload, { description: 'Denies a call that waits. For those who may approve it.' })
  denyToolCall(@Ctx() context: Context, @Arg('input', () => DenyToolCallInput, { description: 'Which one.' }) input: DenyToolCallInput) {
    return this.#decide(context, 'denyToolCall', input);
  }

  #decide(context: Context, decision: 'approveToolCall' | 'denyToolCall', input: ApproveToolCallInput) {
    return this.mutations.run(context, decision, async (act) => {
      const id = decoded('ToolCall', input.id)!;
      const words = input.comment == null ? null : parseInput(comment, input.comment, ['input', 'comment']);
      await this.#about(act, id);
      const commit: Commit = (work) => act.commit(work);
      const view = await (decision === 'approveToolCall' ? this.calls.approve(context.principal, id, words, commit) : this.calls.deny(context.principal, id, words, commit));
      return { toolCall: toolCallView(view, context) };
    });
  }

  /** Says which call a mutation is about; false where there is none that this caller sees. */
  async #about(act: Act, id: string): Promise<boolean> {
    const seen = await this.calls.get(act.context.principal, id);
    if (seen !== null) act.about(seen.record.teamId, { type: 'ToolCall', id, name: `${seen.record.connectionTypeName}/${seen.record.tool}` });
    return seen !== null;
  }
}

/** The calls of a team. */
@Resolver(() => TeamType)
export class TeamToolCallsResolver {
  constructor(private readonly calls: CallService) {}

  @FieldResolver(() => ToolCallPage, { description: 'Calls, newest first: the viewer\'s own; for managers, all of the team.' })
  async toolCalls(
    @Root() team: TeamView, @Args(() => PageArgs) args: PageArgs, @Ctx() context: Context,
    @Arg('filter', () => ToolCallFilter, { nullable: true, description: 'Which ones.' }) filter?: ToolCallFilter | null,
  ) {
    const request = pageRequest(args);
    const connectionTypeId = decoded('ConnectionType', filter?.connectionTypeId);
    const assignmentId = decoded('Assignment', filter?.assignmentId);
    if (assignmentId === '' || connectionTypeId === '') return connectionView({ rows: [], hasNextPage: false }, request, () => '', () => null, async () => 0);
    const chosen = { status: filter?.status ?? undefined, connectionTypeId: connectionTypeId ?? undefined, assignmentId: assignmentId ?? undefined };
    const page = await this.calls.list(context.principal, team.teamId, chosen, request);
    const views = await this.calls.views(context.principal, page.rows);
    return connectionView({ ...page, rows: views }, request, (view) => view.record.id, (view) => toolCallView(view, context), () => this.calls.count(context.principal, team.teamId, chosen));
  }
}

/** A wrong id is as unknown as a stranger's: it decodes to something that is not an id. */
function decoded(type: 'ConnectionType' | 'Enrollment' | 'ToolCall' | 'Assignment', id: string | null | undefined): string | null {
  return id == null ? null : (uuidOf(type, id) ?? '');
}

async function answer<P extends object>(context: Context, work: () => Promise<P>): Promise<(P & { userErrors: UserError[] }) | { userErrors: UserError[] }> {
  context.loaders.forget();
  try {
    return { ...(await work()), userErrors: [] };
  } catch (error) {
    if (error instanceof UserFault) return { userErrors: [userError(error)] };
    throw error;
  }
}

import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Store } from '#core/store/store.js';
import { assignmentById } from '../../access.js';
import type { Context } from '../../context.js';
import { nodeId } from '../../graphql/node-id.js';
import { nullIfUnknown } from '../../graphql/null-if-unknown.js';
import { connectionView, PageArgs, pageRequest } from '../../graphql/pagination.js';
import { membershipIn } from '../../identity/principal.js';
import type { Mutations } from '../../mutation.js';
import { TeamType } from '../team/team.type.js';
import type { TeamView } from '../team/team.view.js';
import {
  CreateAssignmentInput, CreateAssignmentPayload, DeleteAssignmentInput, DeleteAssignmentPayload, PinEnrollmentInput, PinEnrollmentPayload, UnpinEnrollmentInput,
  UnpinEnrollmentPayload, UpdateAssignmentInput, UpdateAssignmentPayload,
} from './assignment.input.js';
import type { AssignmentManager } from './assignment.manager.js';
import type { AssignmentReader } from './assignment.reader.js';
import { AssignmentPage, AssignmentToolType, AssignmentType, ReadinessType } from './assignment.type.js';
import { assignmentView, type AssignmentView } from './assignment.view.js';

/** Assignments. */
@Resolver(() => AssignmentType)
export class AssignmentResolver {
  constructor(private readonly store: Store, private readonly manager: AssignmentManager, private readonly reader: AssignmentReader, private readonly mutations: Mutations) {}

  @Query(() => AssignmentType, { nullable: true, description: 'An assignment of one of the caller\'s teams; null for any other id. Without an id: the one that the token acts for.' })
  assignment(@Ctx() context: Context, @Arg('id', () => ID, { nullable: true, description: 'Which one. If absent: the token\'s own.' }) id?: string | null) {
    const own = context.principal.assignment?.id;
    const asked = id ?? (own === undefined ? '' : nodeId('Assignment', own));
    return nullIfUnknown(async () => assignmentView((await assignmentById(this.store, context.principal, asked)).assignment, context));
  }

  @FieldResolver(() => ReadinessType, { nullable: true, description: 'Whether everything is connected for the viewer or, for managers, for a member: what calls would find, slot by slot. Null, with an error, for who may not ask.' })
  readiness(@Root() { assignment }: AssignmentView, @Ctx() context: Context, @Arg('memberId', () => ID, { nullable: true, description: 'For whom. If absent: the viewer.' }) memberId?: string | null) {
    return this.reader.readiness(assignment, memberId ?? null, context);
  }

  @FieldResolver(() => [AssignmentToolType], { description: 'The tools that the viewer\'s calls for this assignment may name.' })
  tools(@Root() { assignment }: AssignmentView, @Ctx() context: Context) {
    return this.reader.tools(assignment, context);
  }

  @Mutation(() => CreateAssignmentPayload, { description: 'Adds an assignment. For managers.' })
  createAssignment(@Ctx() context: Context, @Arg('input', () => CreateAssignmentInput, { description: 'The new assignment.' }) input: CreateAssignmentInput) {
    return this.mutations.run(context, 'createAssignment', async (act) => ({ assignment: assignmentView(await this.manager.create(act, input), context) }));
  }

  @Mutation(() => UpdateAssignmentPayload, { description: 'Changes an assignment. For managers.' })
  updateAssignment(@Ctx() context: Context, @Arg('input', () => UpdateAssignmentInput, { description: 'The changes.' }) input: UpdateAssignmentInput) {
    return this.mutations.run(context, 'updateAssignment', async (act) => ({ assignment: assignmentView(await this.manager.update(act, input), context) }));
  }

  @Mutation(() => DeleteAssignmentPayload, { description: 'Ends an assignment, with its tokens. For managers.' })
  deleteAssignment(@Ctx() context: Context, @Arg('input', () => DeleteAssignmentInput, { description: 'Which one.' }) input: DeleteAssignmentInput) {
    return this.mutations.run(context, 'deleteAssignment', async (act) => {
      await this.manager.delete(act, input);
      return { deletedId: input.id };
    });
  }

  @Mutation(() => PinEnrollmentPayload, { description: 'Has an assignment go through an enrollment: one\'s own for oneself; a shared one, by managers, for everybody.' })
  pinEnrollment(@Ctx() context: Context, @Arg('input', () => PinEnrollmentInput, { description: 'Which one, for which.' }) input: PinEnrollmentInput) {
    return this.mutations.run(context, 'pinEnrollment', async (act) => ({ assignment: assignmentView(await this.manager.pin(act, input), context) }));
  }

  @Mutation(() => UnpinEnrollmentPayload, { description: 'Ends a pin: one\'s own; by managers, also one for everybody.' })
  unpinEnrollment(@Ctx() context: Context, @Arg('input', () => UnpinEnrollmentInput, { description: 'Which one, of which.' }) input: UnpinEnrollmentInput) {
    return this.mutations.run(context, 'unpinEnrollment', async (act) => ({ assignment: assignmentView(await this.manager.unpin(act, input), context) }));
  }
}

/** The assignments of a team. */
@Resolver(() => TeamType)
export class TeamAssignmentsResolver {
  constructor(private readonly store: Store) {}

  @FieldResolver(() => AssignmentPage, { description: 'The team\'s assignments, oldest first.' })
  async assignments(@Root() team: TeamView, @Args(() => PageArgs) args: PageArgs, @Ctx() context: Context) {
    const request = pageRequest(args);
    if (membershipIn(context.principal, team.teamId) === null) return connectionView({ rows: [], hasNextPage: false }, request, () => '', () => null, async () => 0);
    const page = await this.store.assignments.page(team.teamId, request);
    return connectionView(page, request, (row) => row.id, (row) => assignmentView(row, context), () => this.store.assignments.count(team.teamId));
  }
}

import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import { isId } from '#core/store/ids.js';
import type { Store } from '#core/store/store.js';
import { enrollmentById } from '../../access.js';
import type { Context } from '../../context.js';
import { nullIfUnknown } from '../../graphql/null-if-unknown.js';
import { connectionView, PageArgs, pageRequest } from '../../graphql/pagination.js';
import { membershipIn } from '../../identity/principal.js';
import type { Mutations } from '../../mutation.js';
import { TeamType } from '../team/team.type.js';
import type { TeamView } from '../team/team.view.js';
import type { EnrollmentManager } from './enrollment.manager.js';
import {
  ConfirmEnrollmentInput, ConfirmEnrollmentPayload, DeleteEnrollmentInput, DeleteEnrollmentPayload, EnrollInput, EnrollmentPage, EnrollmentType, EnrollPayload,
  RefreshEnrollmentInput, RefreshEnrollmentPayload, ShareEnrollmentInput, ShareEnrollmentPayload, StartAuthorizationInput, StartAuthorizationPayload, UpdateEnrollmentInput, UpdateEnrollmentPayload,
} from './enrollment.type.js';
import { enrollmentView } from './enrollment.view.js';

/** Teammates' credentials. */
@Resolver(() => EnrollmentType)
export class EnrollmentResolver {
  constructor(private readonly store: Store, private readonly manager: EnrollmentManager, private readonly mutations: Mutations) {}

  @Query(() => EnrollmentType, { nullable: true, description: 'One\'s own enrollment, or one that is shared with the caller\'s team; null for any other id.' })
  enrollment(@Ctx() context: Context, @Arg('id', () => ID, { description: 'Which one.' }) id: string) {
    return nullIfUnknown(async () => enrollmentView((await enrollmentById(this.store, context.principal, id)).enrollment, context));
  }

  @Mutation(() => EnrollPayload, { description: 'Enrolls the caller with their own credential, after trying it.' })
  enroll(@Ctx() context: Context, @Arg('input', () => EnrollInput, { description: 'With which server, and what.' }) input: EnrollInput) {
    return this.mutations.run(context, 'enroll', async (act) => {
      const { enrollment, authorization } = await this.manager.enroll(act, input);
      return { enrollment: enrollmentView(enrollment, context), authorization };
    });
  }

  @Mutation(() => StartAuthorizationPayload, { description: 'With OAUTH: a link for its owner to consent again, in place.' })
  startAuthorization(@Ctx() context: Context, @Arg('input', () => StartAuthorizationInput, { description: 'Which one.' }) input: StartAuthorizationInput) {
    return this.mutations.run(context, 'startAuthorization', async (act) => ({ authorization: await this.manager.startAuthorization(act, input) }));
  }

  @Mutation(() => UpdateEnrollmentPayload, { description: 'Changes one\'s own enrollment; a new credential is tried first.' })
  updateEnrollment(@Ctx() context: Context, @Arg('input', () => UpdateEnrollmentInput, { description: 'The changes.' }) input: UpdateEnrollmentInput) {
    return this.mutations.run(context, 'updateEnrollment', async (act) => ({ enrollment: enrollmentView(await this.manager.update(act, input), context) }));
  }

  @Mutation(() => ConfirmEnrollmentPayload, { description: 'Lets one\'s own credential go to the server\'s new address.' })
  confirmEnrollment(@Ctx() context: Context, @Arg('input', () => ConfirmEnrollmentInput, { description: 'Which one, and the address as it was seen.' }) input: ConfirmEnrollmentInput) {
    return this.mutations.run(context, 'confirmEnrollment', async (act) => ({ enrollment: enrollmentView(await this.manager.confirm(act, input), context) }));
  }

  @Mutation(() => RefreshEnrollmentPayload, { description: 'Tries one\'s own credential now.' })
  refreshEnrollment(@Ctx() context: Context, @Arg('input', () => RefreshEnrollmentInput, { description: 'Which one.' }) input: RefreshEnrollmentInput) {
    return this.mutations.run(context, 'refreshEnrollment', async (act) => ({ enrollment: enrollmentView(await this.manager.refresh(act, input), context) }));
  }

  @Mutation(() => ShareEnrollmentPayload, { description: 'Lets the team use an enrollment, or ends that. For its owner, who must be a manager; any manager may end it.' })
  shareEnrollment(@Ctx() context: Context, @Arg('input', () => ShareEnrollmentInput, { description: 'Which one, and whether.' }) input: ShareEnrollmentInput) {
    return this.mutations.run(context, 'shareEnrollment', async (act) => ({ enrollment: enrollmentView(await this.manager.share(act, input), context) }));
  }

  @Mutation(() => DeleteEnrollmentPayload, { description: 'Ends one\'s own enrollment; its sealed value is gone.' })
  deleteEnrollment(@Ctx() context: Context, @Arg('input', () => DeleteEnrollmentInput, { description: 'Which one.' }) input: DeleteEnrollmentInput) {
    return this.mutations.run(context, 'deleteEnrollment', async (act) => ({ deletedId: input.id, revocation: await this.manager.delete(act, input) }));
  }
}

/** The enrollments of a team. */
@Resolver(() => TeamType)
export class TeamEnrollmentsResolver {
  constructor(private readonly store: Store) {}

  @FieldResolver(() => EnrollmentPage, { description: 'The viewer\'s own enrollments, and those that are shared with the team; oldest first.' })
  async enrollments(@Root() team: TeamView, @Args(() => PageArgs) args: PageArgs, @Ctx() context: Context) {
    const request = pageRequest(args, isId);
    const { memberId } = membershipIn(context.principal, team.teamId)!;
    const page = await this.store.enrollments.page(team.teamId, memberId, request);
    return connectionView(page, request, (row) => row.id, (row) => enrollmentView(row, context), () => this.store.enrollments.count(team.teamId, memberId));
  }
}

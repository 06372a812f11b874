import { Arg, Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import { createHash } from 'node:crypto';
import { isId } from '#core/store/ids.js';
import type { Store } from '#core/store/store.js';
import type { Context } from '../../context.js';
import { membershipIn } from '../../identity/principal.js';
import { connectionView, PageArgs, pageRequest } from '../../graphql/pagination.js';
import type { Mutations } from '../../mutation.js';
import type { TeamManager } from './team.manager.js';
import {
  CreateTeamInput, CreateTeamPayload, MemberPage, RemoveMemberInput, RemoveMemberPayload, SetMemberInput, SetMemberPayload, TeamType, UpdateTeamInput, UpdateTeamPayload, ViewerType,
} from './team.type.js';
import { memberView, teamView, type TeamView } from './team.view.js';

/** Who is calling, teams and members. */
@Resolver(() => TeamType)
export class TeamResolver {
  constructor(private readonly store: Store, private readonly manager: TeamManager, private readonly mutations: Mutations) {}

  @Query(() => ViewerType, { description: 'Who is calling, as this token sees it.' })
  async viewer(@Ctx() context: Context) {
    const { principal } = context;
    const teams = await Promise.all(principal.memberships.map((membership) => context.loaders.team.load(membership.teamId)));
    return {
      id: createHash('sha256').update(`${principal.local} ${principal.subject}`).digest('base64url').slice(0, 22),
      displayName: principal.displayName,
      memberships: principal.memberships.flatMap((membership, index) => {
        const team = teams[index];
        return team == null ? [] : [{ role: membership.role, team: teamView(team) }];
      }),
    };
  }

  @Query(() => TeamType, { nullable: true, description: 'A team that the caller is a member of; null for any other slug.' })
  async team(@Ctx() context: Context, @Arg('slug', () => String, { description: 'The team\'s slug.' }) slug: string) {
    const membership = context.principal.memberships.find((candidate) => candidate.teamSlug === slug);
    const team = membership === undefined ? null : await context.loaders.team.load(membership.teamId);
    return team === null ? null : teamView(team);
  }

  @FieldResolver(() => MemberPage, { description: 'Everybody in the team.' })
  async members(@Root() team: TeamView, @Args(() => PageArgs) args: PageArgs, @Ctx() context: Context) {
    const request = pageRequest(args, isId);
    if (membershipIn(context.principal, team.teamId) === null) return connectionView({ rows: [], hasNextPage: false }, request, () => '', () => null, async () => 0);
    const page = await this.store.members.page(team.teamId, request);
    return connectionView(page, request, (member) => member.id, memberView, () => this.store.members.count(team.teamId));
  }

  @Mutation(() => CreateTeamPayload, { description: 'Creates a team. For administrators of the installation.' })
  createTeam(@Ctx() context: Context, @Arg('input', () => CreateTeamInput, { description: 'The new team.' }) input: CreateTeamInput) {
    return this.mutations.run(context, 'createTeam', async (act) => ({ team: teamView(await this.manager.create(act, input)) }));
  }

  @Mutation(() => UpdateTeamPayload, { description: 'Changes a team\'s policy. For administrators of the team.' })
  updateTeam(@Ctx() context: Context, @Arg('input', () => UpdateTeamInput, { description: 'The changes.' }) input: UpdateTeamInput) {
    return this.mutations.run(context, 'updateTeam', async (act) => ({ team: teamView(await this.manager.update(act, input)) }));
  }

  @Mutation(() => SetMemberPayload, { description: 'Adds a member, or changes their role or name. For administrators of the team.' })
  setMember(@Ctx() context: Context, @Arg('input', () => SetMemberInput, { description: 'Who, and what they may do.' }) input: SetMemberInput) {
    return this.mutations.run(context, 'setMember', async (act) => ({ member: memberView(await this.manager.setMember(act, input)) }));
  }

  @Mutation(() => RemoveMemberPayload, { description: 'Ends a membership, with its enrollments and tokens. For administrators of the team, and for oneself.' })
  removeMember(@Ctx() context: Context, @Arg('input', () => RemoveMemberInput, { description: 'Who leaves.' }) input: RemoveMemberInput) {
    return this.mutations.run(context, 'removeMember', async (act) => {
      await this.manager.removeMember(act, input);
      return { removedId: input.memberId };
    });
  }
}

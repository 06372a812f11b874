import { Arg, Args, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import { UserFault } from '#core/errors.js';
import type { Store } from '#core/store/store.js';
import { connectionTypeById } from '../../access.js';
import type { Context } from '../../context.js';
import { nullIfUnknown } from '../../graphql/null-if-unknown.js';
import { connectionView, isNameKey, PageArgs, pageRequest } from '../../graphql/pagination.js';
import { membershipIn } from '../../identity/principal.js';
import type { Mutations } from '../../mutation.js';
import { EnrollmentType } from '../enrollment/enrollment.type.js';
import { enrollmentView } from '../enrollment/enrollment.view.js';
import { TeamType } from '../team/team.type.js';
import type { TeamView } from '../team/team.view.js';
import { ToolPage } from '../tool/tool.type.js';
import { toolView } from '../tool/tool.view.js';
import {
  CheckConnectionTypeInput, CheckConnectionTypePayload, CreateConnectionTypeInput, CreateConnectionTypePayload, DeleteConnectionTypeInput, DeleteConnectionTypePayload,
  UpdateConnectionTypeInput, UpdateConnectionTypePayload,
} from './connection-type.input.js';
import type { ConnectionTypeManager } from './connection-type.manager.js';
import { ConnectionTypePage, ConnectionTypeType } from './connection-type.type.js';
import { connectionTypeView, type ConnectionTypeView } from './connection-type.view.js';

/** The catalog. */
@Resolver(() => ConnectionTypeType)
export class ConnectionTypeResolver {
  constructor(private readonly store: Store, private readonly manager: ConnectionTypeManager, private readonly mutations: Mutations) {}

  @Query(() => ConnectionTypeType, { nullable: true, description: 'A connection type of one of the caller\'s teams; null for any other id.' })
  connectionType(@Ctx() context: Context, @Arg('id', () => ID, { description: 'Which one.' }) id: string) {
    return nullIfUnknown(async () => connectionTypeView((await connectionTypeById(this.store, context.principal, id)).type, context));
  }

  @FieldResolver(() => Int, { description: 'How many tools the viewer may see.' })
  toolCount(@Root() type: ConnectionTypeView, @Ctx() context: Context) {
    return context.loaders.toolCount.load({ typeId: type.typeId, viewerId: viewerIn(context, type.teamId) });
  }

  @FieldResolver(() => ToolPage, { description: 'The tools that the viewer may see: the type\'s own list or, where the server lists after a login only, that of the viewer\'s logins. By name.' })
  async tools(@Root() type: ConnectionTypeView, @Args(() => PageArgs) args: PageArgs, @Ctx() context: Context) {
    const request = pageRequest(args, isNameKey);
    const viewerId = viewerIn(context, type.teamId);
    const rows = await context.loaders.toolPage.load({ typeId: type.typeId, viewerId, first: request.first, after: request.after });
    const page = { rows: rows.slice(0, request.first), hasNextPage: rows.length > request.first };
    // Most types have few tools, so that one page has them all.
    const count = () => (request.after === null && !page.hasNextPage ? rows.length : context.loaders.toolCount.load({ typeId: type.typeId, viewerId }));
    return connectionView(page, request, (tool) => tool.name, (tool) => toolView(tool, type.toolPolicy), count);
  }

  @FieldResolver(() => [EnrollmentType], { description: 'The viewer\'s own enrollments.' })
  async viewerEnrollments(@Root() type: ConnectionTypeView, @Ctx() context: Context) {
    const own = await context.loaders.ownEnrollments.load({ typeId: type.typeId, ownerId: viewerIn(context, type.teamId) });
    return own.map((enrollment) => enrollmentView(enrollment, context));
  }

  @Mutation(() => CreateConnectionTypePayload, { description: 'Adds a server to the catalog, after looking at it. For managers.' })
  createConnectionType(@Ctx() context: Context, @Arg('input', () => CreateConnectionTypeInput, { description: 'The new entry.' }) input: CreateConnectionTypeInput) {
    return this.mutations.run(context, 'createConnectionType', async (act) => ({ connectionType: connectionTypeView(await this.manager.create(act, input), context) }));
  }

  @Mutation(() => UpdateConnectionTypePayload, { description: 'Changes a catalog entry. For managers.' })
  updateConnectionType(@Ctx() context: Context, @Arg('input', () => UpdateConnectionTypeInput, { description: 'The changes.' }) input: UpdateConnectionTypeInput) {
    return this.mutations.run(context, 'updateConnectionType', async (act) => ({ connectionType: connectionTypeView(await this.manager.update(act, input), context) }));
  }

  @Mutation(() => DeleteConnectionTypePayload, { description: 'Deletes a catalog entry with its enrollments. For managers.' })
  deleteConnectionType(@Ctx() context: Context, @Arg('input', () => DeleteConnectionTypeInput, { description: 'Which one.' }) input: DeleteConnectionTypeInput) {
    return this.mutations.run(context, 'deleteConnectionType', async (act) => ({ enrollmentsDeleted: await this.manager.delete(act, input), deletedId: input.id }));
  }

  @Mutation(() => CheckConnectionTypePayload, { description: 'Looks at the server now, and answers when that is done. For members; rate-limited.' })
  checkConnectionType(@Ctx() context: Context, @Arg('input', () => CheckConnectionTypeInput, { description: 'Which one.' }) input: CheckConnectionTypeInput) {
    return this.mutations.run(context, 'checkConnectionType', async (act) => ({ connectionType: connectionTypeView(await this.manager.check(act, input), context) }));
  }
}

/** The catalog of a team. */
@Resolver(() => TeamType)
export class TeamCatalogResolver {
  constructor(private readonly store: Store) {}

  @FieldResolver(() => ConnectionTypePage, { description: 'The team\'s catalog, by name.' })
  async connectionTypes(@Root() team: TeamView, @Args(() => PageArgs) args: PageArgs, @Ctx() context: Context) {
    const request = pageRequest(args, isNameKey);
    const page = await this.store.connectionTypes.page(team.teamId, request);
    for (const type of page.rows) {
      context.loaders.connectionType.note(type.id, type);
      context.loaders.typeStatus.note(type.id, type);
    }
    return connectionView(page, request, (type) => type.name, (type) => connectionTypeView(type, context), () => this.store.connectionTypes.count(team.teamId));
  }
}


/** The viewer's member id. Strangers never get as far as a team's objects; the token of an assignment gets to the types of its slots, and no further. */
function viewerIn(context: Context, teamId: string): string {
  const membership = membershipIn(context.principal, teamId);
  if (membership === null) throw new UserFault('FORBIDDEN', 'The token of an assignment sees the tools of its assignment, and nobody\'s enrollments: ask for assignment { tools }.');
  return membership.memberId;
}


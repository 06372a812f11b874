import { Arg, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import type { Store } from '#core/store/store.js';
import type { Context } from '../../context.js';
import type { Mutations } from '../../mutation.js';
import { TeamNamespaceType, TeamType } from '../team/team.type.js';
import { teamView, type TeamView } from '../team/team.view.js';
import type { MirrorManager } from './mirror.manager.js';
import {
  BindNamespaceInput, BindNamespacePayload, ConfirmDeletionsInput, ConfirmDeletionsPayload, OfferOwnershipInput, OfferOwnershipPayload, TakeOwnershipInput, TakeOwnershipPayload, UnbindNamespaceInput,
  UnbindNamespacePayload,
} from './mirror.type.js';

/** Namespaces of teams, and who owns what is declared in them. */
@Resolver(() => TeamType)
export class MirrorResolver {
  constructor(private readonly store: Store, private readonly manager: MirrorManager, private readonly mutations: Mutations) {}

  @FieldResolver(() => TeamNamespaceType, { nullable: true, description: 'The Kubernetes namespace that is the team\'s; null without one.' })
  async namespace(@Root() team: TeamView, @Ctx() context: Context) {
    const row = await context.loaders.namespace.load(team.teamId);
    return row === null ? null : { name: row.namespace, state: row.state, message: row.message, heldSince: row.heldSince, heldDeletions: () => this.store.mirrorObjects.held(team.teamId) };
  }

  @Mutation(() => BindNamespacePayload, { description: 'Binds a team to a Kubernetes namespace. For administrators of the team.' })
  bindNamespace(@Ctx() context: Context, @Arg('input', () => BindNamespaceInput, { description: 'Which team, and which namespace.' }) input: BindNamespaceInput) {
    return this.mutations.run(context, 'bindNamespace', async (act) => ({ team: teamView(await this.manager.bind(act, input)) }));
  }

  @Mutation(() => UnbindNamespacePayload, { description: 'Ends the binding of a team to its namespace; nothing is deleted. For administrators of the team.' })
  unbindNamespace(@Ctx() context: Context, @Arg('input', () => UnbindNamespaceInput, { description: 'Which team.' }) input: UnbindNamespaceInput) {
    return this.mutations.run(context, 'unbindNamespace', async (act) => ({ team: teamView(await this.manager.unbind(act, input)) }));
  }

  @Mutation(() => OfferOwnershipPayload, { description: 'Offers a connection type or enrollment to a manifest, which takes it over by an annotation. For managers; an enrollment is its owner\'s to offer, or, where that is a machine user, any manager\'s.' })
  offerOwnership(@Ctx() context: Context, @Arg('input', () => OfferOwnershipInput, { description: 'Which one.' }) input: OfferOwnershipInput) {
    return this.mutations.run(context, 'offerOwnership', async (act) => ({ annotation: await this.manager.offer(act, input), offeredId: input.id }));
  }

  @Mutation(() => TakeOwnershipPayload, { description: 'Takes over what a manifest declared that is gone, or takes back an offer. For managers.' })
  takeOwnership(@Ctx() context: Context, @Arg('input', () => TakeOwnershipInput, { description: 'Which one.' }) input: TakeOwnershipInput) {
    return this.mutations.run(context, 'takeOwnership', async (act) => {
      await this.manager.take(act, input);
      return { takenId: input.id };
    });
  }

  @Mutation(() => ConfirmDeletionsPayload, { description: 'Lets deletions go on that were held back because they were so many at once. For administrators of the team.' })
  confirmDeletions(@Ctx() context: Context, @Arg('input', () => ConfirmDeletionsInput, { description: 'Which team.' }) input: ConfirmDeletionsInput) {
    return this.mutations.run(context, 'confirmDeletions', async (act) => ({ confirmed: await this.manager.confirmDeletions(act, input) }));
  }
}

import { Arg, Ctx, Field, ID, ObjectType, Resolver, Root, Subscription } from 'type-graphql';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Context } from '../../context.js';
import { ChangeEnum } from '../../graphql/change.type.js';
import { nodeId } from '../../graphql/node-id.js';
import type { RowChange } from '../../live/live-streams.js';
import { ConnectionTypeType } from './connection-type.type.js';
import { connectionTypeView } from './connection-type.view.js';

@ObjectType({ description: 'A change of a connection type.', simpleResolvers: true })
export class ConnectionTypeChange {
  @Field(() => ChangeEnum, { description: 'What happened.' }) change!: string;
  @Field(() => ID, { description: 'The connection type\'s id.' }) id!: string;
  @Field(() => ConnectionTypeType, { nullable: true, description: 'As it is now; null when it was deleted.' }) connectionType!: unknown;
}

/** The catalog, live. */
@Resolver()
export class ConnectionTypeLiveResolver {
  @Subscription(() => ConnectionTypeChange, {
    subscribe: ({ args, context }: { args: { team: string }; context: Context }) => context.live.connectionTypes(context, args.team),
    description: 'Changes of a team\'s connection types, from now on: subscribe first, then read what is there. Several changes in quick succession may be told as one.',
  })
  connectionTypeChanged(@Root() { kind, id, row }: RowChange<ConnectionType>, @Ctx() context: Context, @Arg('team', () => String, { description: 'The team\'s slug.' }) _team: string) {
    return { change: kind, id: nodeId('ConnectionType', id), connectionType: row === null ? null : connectionTypeView(row, context) };
  }
}

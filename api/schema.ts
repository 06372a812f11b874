import 'reflect-metadata';
import { isAbstractType, type GraphQLSchema } from 'graphql';
import { buildSchema, type ClassType, type NonEmptyArray } from 'type-graphql';
import { InvariantBroken } from '#core/errors.js';
import { DateTimeScalar } from './graphql/scalars.js';
import { AssignmentResolver, TeamAssignmentsResolver } from './modules/assignment/assignment.resolver.js';
import { TeamAuditResolver } from './modules/audit/audit.resolver.js';
import { ConnectionTypeResolver, TeamCatalogResolver } from './modules/connection-type/connection-type.resolver.js';
import { ConnectionTypeLiveResolver } from './modules/connection-type/connection-type.live.js';
import { ProbeResolver } from './modules/connection-type/probe.resolver.js';
import { EnrollmentResolver, TeamEnrollmentsResolver } from './modules/enrollment/enrollment.resolver.js';
import { EnrollmentLiveResolver } from './modules/enrollment/enrollment.live.js';
import { MirrorResolver } from './modules/mirror/mirror.resolver.js';
import { NodeResolver } from './modules/node/node.resolver.js';
import { TeamResolver } from './modules/team/team.resolver.js';
import { TokenResolver } from './modules/token/token.resolver.js';
import { TeamToolCallsResolver, ToolCallResolver } from './modules/tool-call/tool-call.resolver.js';
import { ToolCallLiveResolver } from './modules/tool-call/tool-call.live.js';
import { ToolResolver } from './modules/tool/tool.resolver.js';

/** Every resolver there is: an explicit list, so that nothing is served by accident. */
export const RESOLVERS = [
  TeamResolver, TokenResolver, ConnectionTypeResolver, TeamCatalogResolver, ProbeResolver, ToolResolver, EnrollmentResolver, TeamEnrollmentsResolver,
  AssignmentResolver, TeamAssignmentsResolver, ToolCallResolver, TeamToolCallsResolver, TeamAuditResolver, MirrorResolver, NodeResolver,
  ConnectionTypeLiveResolver, EnrollmentLiveResolver, ToolCallLiveResolver,
] as const;

/** Instances of the resolver classes; each class is asked for by itself. */
export type ResolverInstances = readonly object[];

/**
 * The executable schema. Without instances it is good for printing and validating only.
 * Inputs are checked by the managers (zod), so type-graphql's own validation is off.
 */
export async function createSchema(instances: ResolverInstances = []): Promise<GraphQLSchema> {
  const byClass = new Map<unknown, object>(instances.map((instance) => [instance.constructor, instance]));
  const schema = await buildSchema({
    resolvers: RESOLVERS as unknown as NonEmptyArray<ClassType>,
    container: { get: (type: unknown) => byClass.get(type) as object },
    scalarsMap: [{ type: Date, scalar: DateTimeScalar }],
    validate: false,
    // Asked for by type-graphql, but not used: each subscription has a stream of its own.
    pubSub: { publish: () => undefined, subscribe: () => { throw new InvariantBroken('a subscription without a stream'); } },
  });
  // type-graphql makes a promise for each object of a union: graphql-js reads its `__typename` at once, where the same is said.
  for (const type of Object.values(schema.getTypeMap())) if (isAbstractType(type)) type.resolveType = undefined;
  // type-graphql has no decorator for the descriptions of root types (facts: graphql 1.5).
  schema.getQueryType()!.description = 'What can be read. Everything is in the reach of the caller\'s teams only.';
  schema.getMutationType()!.description = 'What can be changed. Expected refusals are `userErrors` in the payload.';
  schema.getSubscriptionType()!.description = 'What can be watched, over WebSocket (graphql-transport-ws). Each event is what the viewer may see at that moment.';
  return schema;
}

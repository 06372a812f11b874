import { ApolloServer, type ApolloServerPlugin, type BaseContext, type GraphQLRequestListener } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled, ApolloServerPluginInlineTraceDisabled, ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import type { GraphQLFormattedError, GraphQLSchema, OperationDefinitionNode } from 'graphql';
import { GraphQLError, Kind, OperationTypeNode } from 'graphql';
import { UnparsedJson } from '#core/json/unparsed.js';
import type { Logger } from '#core/log.js';
import { costLimit, GRAPHQL_LIMITS, limitRule } from '../graphql/limits.js';
import type { CallDoor } from './call-door.js';
import type { RequestFrames } from './request-frame.js';

/** What Apollo is built from. */
export interface ApolloOptions {
  schema: GraphQLSchema;
  introspection: boolean;
  frames: RequestFrames;
  /** What is published of an error: Apollo's form of it, and the error itself. */
  formatError: (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError;
  logger: Logger;
  /** Learns which documents are calls of tools. */
  door?: CallDoor | undefined;
}

/** Apollo Server with our limits and masked errors, and without batching, persisted queries, landing page, cache hints and traces for a federation's gateway. Not started. */
export function createApollo<C extends BaseContext>(options: ApolloOptions): ApolloServer<C> {
  const { schema, introspection, frames, formatError, logger, door } = options;
  return new ApolloServer<C>({
    schema,
    introspection,
    logger,
    nodeEnv: 'production',
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxTokens: GRAPHQL_LIMITS.tokens },
    validationRules: [limitRule(GRAPHQL_LIMITS)],
    // The line end is for terminals.
    stringifyResult: (result) => `${UnparsedJson.stringify(result)}\n`,
    formatError,
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      onEachOperation<C>(frames, door),
    ],
  });
}

/**
 * Notes in the request's frame which operation it is, for metrics and the access log, and lets the door know; holds it to the cost limit; and refuses subscriptions, which are executed where there is a stream to answer
 * with, not here, where graphql-js would run them as if they were queries. All in one listener for all requests: Apollo makes promises for each plugin and each listener at each step.
 */
function onEachOperation<C extends BaseContext>(frames: RequestFrames, door: CallDoor | undefined): ApolloServerPlugin<C> {
  const limitCost = costLimit(GRAPHQL_LIMITS);
  const listener: GraphQLRequestListener<C> = {
    async didResolveOperation({ schema, request, document, operation, operationName }) {
      // No such operation in the document: execution says so.
      if (!operation) return;
      door?.learn(request, document, operation);
      const frame = frames.current();
      if (frame) {
        frame.operation = rootFieldOf(operation);
        frame.operationName = operationName?.slice(0, 100) ?? null;
      }
      limitCost({ schema, document, operation, request });
      if (operation.operation === OperationTypeNode.SUBSCRIPTION) {
        throw new GraphQLError('Subscriptions are answered over WebSocket only (graphql-transport-ws), at this same path.', { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } });
      }
    },
    async willSendResponse({ response }) {
      const frame = frames.current();
      if (frame) frame.failed = response.body.kind === 'single' && response.body.singleResult.errors !== undefined;
    },
  };
  return { requestDidStart: async () => listener };
}

/** The operation's root field; `multiple` when there are several, or when they hide in a fragment. */
function rootFieldOf(operation: OperationDefinitionNode): string {
  const [first, ...others] = operation.selectionSet.selections;
  return first?.kind === Kind.FIELD && others.length === 0 ? first.name.value : 'multiple';
}

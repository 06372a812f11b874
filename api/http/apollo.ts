import { ApolloServer, type ApolloServerPlugin, type BaseContext } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled, ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import type { GraphQLFormattedError, GraphQLSchema, OperationDefinitionNode } from 'graphql';
import { GraphQLError, Kind, OperationTypeNode } from 'graphql';
import { UnparsedJson } from '#core/json/unparsed.js';
import type { Logger } from '#core/log.js';
import { costLimitPlugin, GRAPHQL_LIMITS, limitRule } from '../graphql/limits.js';
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

/** Apollo Server with our limits and masked errors, and without batching, persisted queries, landing page and cache hints. Not started. */
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
    hideSchemaDetailsFromClientErrors: true,
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
      costLimitPlugin<C>(GRAPHQL_LIMITS),
      noteOperation<C>(frames, door),
      refuseSubscriptions<C>(),
    ],
  });
}

/** Notes in the request's frame which operation it is, for metrics and the access log, and lets the door know. */
function noteOperation<C extends BaseContext>(frames: RequestFrames, door: CallDoor | undefined): ApolloServerPlugin<C> {
  return {
    async requestDidStart() {
      return {
        async didResolveOperation({ request, document, operation, operationName }) {
          if (operation) door?.learn(request, document, operation);
          const frame = frames.current();
          if (!frame || !operation) return;
          frame.operation = rootFieldOf(operation);
          frame.operationName = operationName?.slice(0, 100) ?? null;
        },
        async willSendResponse({ response }) {
          const frame = frames.current();
          if (frame) frame.failed = response.body.kind === 'single' && response.body.singleResult.errors !== undefined;
        },
      };
    },
  };
}

/** Subscriptions are executed where there is a stream to answer with, not here, where graphql-js would run them as if they were queries. */
function refuseSubscriptions<C extends BaseContext>(): ApolloServerPlugin<C> {
  return {
    async requestDidStart() {
      return {
        async didResolveOperation({ operation }) {
          if (operation?.operation !== OperationTypeNode.SUBSCRIPTION) return;
          throw new GraphQLError('Subscriptions are answered over WebSocket only (graphql-transport-ws), at this same path.', { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } });
        },
      };
    },
  };
}

/** The operation's root field; `multiple` when there are several, or when they hide in a fragment. */
function rootFieldOf(operation: OperationDefinitionNode): string {
  const [first, ...others] = operation.selectionSet.selections;
  return first?.kind === Kind.FIELD && others.length === 0 ? first.name.value : 'multiple';
}

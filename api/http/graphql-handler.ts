import type { ApolloServer, BaseContext, GraphQLRequest } from '@apollo/server';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import type { GraphQLFormattedError } from 'graphql';
import { InvariantBroken } from '#core/errors.js';
import { UnparsedJson } from '#core/json/unparsed.js';

/** What {@link graphqlHandler} is given. */
export interface GraphqlHandlerOptions<C extends BaseContext> {
  apollo: ApolloServer<C>;
  /** Makes the context of one request. What is given to `hold`, where there is one, holds the answer back. */
  context: (request: FastifyRequest, reply: FastifyReply, hold?: (until: Promise<unknown>) => void) => Promise<C>;
  /** Logs an error of ours, and makes of it what is published. */
  mask: (error: unknown) => GraphQLFormattedError;
}

/**
 * Answers `POST /graphql`. A plain request (see {@link plainRequest}) is given to Apollo Server as it is, and its answer is written once, when everything that holds it back is done; anything else goes the whole way
 * through Apollo's HTTP side, which negotiates, refuses and explains. What is executed, limited, masked and observed is the same on both ways.
 */
export function graphqlHandler<C extends BaseContext>({ apollo, context, mask }: GraphqlHandlerOptions<C>): RouteHandlerMethod {
  const whole = fastifyApolloHandler(apollo, { context: (request, reply) => context(request, reply) });
  return async function answer(request, reply) {
    const plain = plainRequest(request);
    const held: Promise<unknown>[] = [];
    const hold = (until: Promise<unknown>): void => {
      // It is looked at when the answer is ready, which may be after it has failed.
      until.catch(() => undefined);
      held.push(until);
    };
    const contextValue = plain === null ? null : await context(request, reply, hold).catch(() => null);
    // Who isn't let in is told so by Apollo, too.
    if (plain === null || contextValue === null) return whole.call(this, request, reply);
    const { body, http } = await apollo.executeOperation(plain, { contextValue });
    if (body.kind !== 'single') throw new InvariantBroken('a schema without @defer and @stream was answered in parts');
    for (const [name, value] of http.headers) reply.header(name, value);
    const { errors, data, extensions } = body.singleResult;
    let text = UnparsedJson.stringify({ errors, data, extensions });
    try {
      for (const until of held) await until;
    } catch (error) {
      request.frame.failed = true;
      text = JSON.stringify({ errors: [mask(error)], data: null });
    }
    return reply.code(http.status ?? 200).header('content-type', 'application/json; charset=utf-8').send(`${text}\n`);
  };
}

const ANY_JSON: ReadonlySet<string | undefined> = new Set([undefined, '*/*', 'application/json']);

/** The request, if there is nothing to negotiate and nothing to explain: a document with variables and an operation name, as the GraphQL-over-HTTP specification has them. */
function plainRequest({ headers, body }: FastifyRequest): GraphQLRequest | null {
  // The parser has taken nothing but JSON, so no form of another site can have sent this.
  if (!ANY_JSON.has(headers.accept) || !isObject(body)) return null;
  const { query, operationName = null, variables = null, extensions = null } = body;
  if (typeof query !== 'string' || query === '' || extensions !== null) return null;
  if ((operationName !== null && typeof operationName !== 'string') || (variables !== null && !isObject(variables))) return null;
  return { query, ...(operationName === null ? {} : { operationName }), ...(variables === null ? {} : { variables }) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

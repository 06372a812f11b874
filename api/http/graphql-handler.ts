import { HeaderMap, type ApolloServer, type BaseContext, type GraphQLRequest, type GraphQLResponse, type HTTPGraphQLRequest } from '@apollo/server';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { InvariantBroken } from '#core/errors.js';
import { UnparsedJson } from '#core/json/unparsed.js';
import { isDatabaseAway } from '#core/store/database-away.js';
import type { Admitted, CallGate } from './call-door.js';

/** What {@link graphqlHandler} is given. */
export interface GraphqlHandlerOptions<C extends BaseContext> {
  apollo: ApolloServer<C>;
  /** Makes the context of one request. What is given to `hold`, where there is one, holds the answer back. */
  context: (request: FastifyRequest, reply: FastifyReply, hold?: (until: Promise<unknown>) => void) => Promise<C>;
  /** Logs an error of ours, and makes of it what is published. */
  mask: (error: unknown) => GraphQLFormattedError;
  /** Lets calls of tools in; without one all are. */
  gate?: CallGate<C> | undefined;
}

/**
 * Answers `POST /graphql`. A plain request, which takes any JSON (see {@link graphqlRequest}), is given to Apollo Server as it is, and its answer is written once, when everything that holds it back is done; anything else goes the
 * whole way through Apollo's HTTP side, which negotiates, refuses and explains. What is executed, limited, masked and observed is the same on both ways, and calls of tools pass the gate first.
 */
export function graphqlHandler<C extends BaseContext>({ apollo, context, mask, gate }: GraphqlHandlerOptions<C>): RouteHandlerMethod {
  const contexts = new WeakMap<FastifyRequest, C>();
  const whole = fastifyApolloHandler(apollo, { context: async (request, reply) => contexts.get(request) ?? context(request, reply).catch(withStatus) });
  return async function answer(request, reply) {
    const asked = graphqlRequest(request.body);
    const negotiates = !ANY_JSON.has(request.headers.accept);
    const held: Promise<unknown>[] = [];
    const hold = (until: Promise<unknown>): void => {
      // It is looked at when the answer is ready, which may be after it has failed.
      until.catch(() => undefined);
      held.push(until);
    };
    // Apollo's HTTP side sends its answers itself: nothing holds them back.
    const contextValue = asked === null ? null : await context(request, reply, negotiates ? undefined : hold).catch(() => null);
    // Who isn't let in is told so by Apollo, too.
    if (asked === null || contextValue === null) return whole.call(this, request, reply);
    let findsOut = false;
    let admitted: Admitted | null = null;
    if (gate?.door.isCall(asked) === false) {
      // A crowd with a document that is new would be executed whole, and validated as many times: all of it before the first is done.
      const found = gate.door.beingFoundOut(asked);
      findsOut = found === null;
      if (found !== null) await found;
    }
    if (!findsOut && gate?.door.isCall(asked) === true) {
      const entered = gate.enter(contextValue);
      admitted = entered instanceof Promise ? await entered : entered;
      if (admitted === null) {
        request.frame.shed = true;
        return reply.header('content-type', request.headers.accept?.includes(RESPONSE_TYPE) === true ? RESPONSE_TYPE : JSON_TYPE).send(gate.door.refusal(asked));
      }
    }
    try {
      if (!negotiates) return await send(reply, await apollo.executeOperation(asked, { contextValue }), { held, mask });
      contexts.set(request, contextValue);
      return await whole.call(this, request, reply);
    } finally {
      admitted?.answered();
      if (findsOut) gate!.door.foundOut(asked);
    }
  };
}

/** Throws `error` on, as one that Apollo answers with 503 where the database is away: nothing was begun. */
function withStatus(error: unknown): never {
  if (!isDatabaseAway(error)) throw error;
  throw new GraphQLError('the caller could not be looked up', { originalError: error as Error, extensions: { http: { status: 503, headers: new Map([['retry-after', '1']]) } } });
}

/** What an answer waits for, and what takes its place if that fails. */
interface Holding extends Pick<GraphqlHandlerOptions<BaseContext>, 'mask'> {
  held: readonly Promise<unknown>[];
}

async function send(reply: FastifyReply, { body, http }: GraphQLResponse, { held, mask }: Holding): Promise<FastifyReply> {
  if (body.kind !== 'single') throw new InvariantBroken('a schema without @defer and @stream was answered in parts');
  for (const [name, value] of http.headers) reply.header(name, value);
  const { errors, data, extensions } = body.singleResult;
  let text = UnparsedJson.stringify({ errors, data, extensions });
  try {
    for (const until of held) await until;
  } catch (error) {
    reply.request.frame.failed = true;
    text = JSON.stringify({ errors: [mask(error)], data: null });
  }
  text += '\n';
  return reply.code(http.status ?? 200).header('content-type', JSON_TYPE).send(text.length < LARGE ? text : Buffer.from(text));
}

/** Characters from which on a text is encoded before it is sent: else Node does so twice, to know its length and to write it. Shorter ones go out with their headers in one piece. */
const LARGE = 65_536;

const JSON_TYPE = 'application/json; charset=utf-8';
const RESPONSE_TYPE = 'application/graphql-response+json';

const ANY_JSON: ReadonlySet<string | undefined> = new Set([undefined, '*/*', 'application/json']);

/** A plain request's HTTP side, as Apollo is told of it. It looks there for who takes answers in parts, of which there are none: an `Accept` that names nothing spares it comparing media types for each request. */
const PLAIN: HTTPGraphQLRequest = { method: 'POST', headers: new HeaderMap([['accept', '']]), search: '', body: null };

/** The request, if there is nothing to explain: a document with variables and an operation name, as the GraphQL-over-HTTP specification has them. */
function graphqlRequest(body: unknown): GraphQLRequest | null {
  // The parser has taken nothing but JSON, so no form of another site can have sent this.
  if (!isObject(body)) return null;
  const { query, operationName = null, variables = null, extensions = null } = body;
  if (typeof query !== 'string' || query === '' || extensions !== null) return null;
  if ((operationName !== null && typeof operationName !== 'string') || (variables !== null && !isObject(variables))) return null;
  return { query, operationName: operationName ?? undefined, variables: variables ?? undefined, http: PLAIN };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import { buildSchema, type GraphQLSchema } from 'graphql';
import { Registry } from 'prom-client';
import { Admission, type Slot } from '#api/call/admission.js';
import { CallDoor } from '#api/http/call-door.js';
import { createHttpServer, type HttpServer } from '#api/http/server.js';
import type { Principal } from '#api/identity/principal.js';
import { createLogger } from '#core/log.js';
import { until } from '#test/support/mcp-servers/until.js';

/** A crowd that comes to the door in one turn, with a document that nobody has come with before. */

const AT_ONCE = 2;
const PRINCIPAL: Principal = { subject: 'ada', local: true, displayName: 'Ada', installationAdmin: false, tokenId: null, teamId: null, memberships: [] };

let server: HttpServer;
/** Requests that wait to be told who they are from, and the word that tells all of them at once. */
let asked: number;
let known: PromiseWithResolvers<void>;
/** Calls that are being executed, and the word that ends all of them. */
let executing: number;
let most: number;
let done: PromiseWithResolvers<void>;

function schema(): GraphQLSchema {
  const built = buildSchema(`
    type Query { hello: String }
    type Mutation { callTool(input: String): Payload  other: String }
    type Payload { toolCall: String  userErrors: [UserError!]! }
    type UserError { code: String  message: String  field: [String!]  retryable: Boolean  retryAfterMs: Int }
  `);
  const { callTool } = built.getMutationType()!.getFields();
  callTool!.resolve = async () => {
    executing += 1;
    most = Math.max(most, executing);
    await done.promise;
    executing -= 1;
    return { toolCall: 'made', userErrors: [] };
  };
  built.getQueryType()!.getFields()['hello']!.resolve = () => 'world';
  return built;
}

beforeEach(async () => {
  [asked, executing, most, known, done] = [0, 0, 0, Promise.withResolvers(), Promise.withResolvers()];
  const admission = new Admission({ atOnce: AT_ONCE, burst: 4, clock: () => performance.now(), random: Math.random, holdMs: 1 });
  const one = schema();
  server = await createHttpServer<{ signal: AbortSignal; slot?: Slot }>({
    schema: one, logger: createLogger('silent'), host: '127.0.0.1', port: 0, localMode: true, corsOrigins: [], introspection: true, bodyLimit: 10_000, metrics: new Registry(), ready: () => Promise.resolve({ ok: true, checks: {} }),
    calls: { door: new CallDoor(one, Math.random), enter: ({ signal }) => admission.enter(PRINCIPAL, signal) },
    context: async ({ signal }) => {
      asked += 1;
      await known.promise;
      return { signal };
    },
  });
  await server.listen();
});
afterEach(() => server.close(0));

interface Answer { status: number; body: { data?: Record<string, { toolCall: string | null; why?: { code: string }[] } | string> | null; errors?: { message: string }[] } }

/** So many ask the same, and come to the door together. */
async function crowd(size: number, query: string, headers: Record<string, string> = {}): Promise<Promise<Answer>[]> {
  const from = asked;
  const answers = Array.from({ length: size }, async (): Promise<Answer> => {
    const response = await fetch(`${server.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ query }) });
    return { status: response.status, body: await response.json() as Answer['body'] };
  });
  await until(() => asked === from + size);
  known.resolve();
  return answers;
}

it.each([['', {}], [' of clients that negotiate', { accept: 'application/graphql-response+json' }]])('of calls%s: one request finds out what the document is, the others wait their turn, or are refused in the document\'s shape', async (_whose, headers) => {
  const answers = await crowd(100, 'mutation { mine: callTool(input: "x") { toolCall why: userErrors { code } } }', headers);
  let refused: Answer | null = null;
  void Promise.race(answers).then((answer) => { refused = answer; });
  await until(() => refused !== null || most > 1 + AT_ONCE);
  done.resolve();
  expect(refused).toEqual({ status: 200, body: { data: { mine: { toolCall: null, why: [{ code: 'OVERLOADED' }] } } } });
  const made = (await Promise.all(answers)).filter(({ body }) => (body.data!['mine'] as { toolCall: string | null }).toolCall === 'made');
  expect(made.length).toBeGreaterThan(AT_ONCE);
  expect(most).toBeLessThanOrEqual(1 + AT_ONCE);
});

it('of requests that are more than one call: all are executed, and none is refused', async () => {
  const answers = await crowd(40, 'mutation { callTool(input: "x") { toolCall } other }');
  await until(() => executing === 40);
  done.resolve();
  expect(new Set((await Promise.all(answers)).map(({ status, body }) => `${status} ${JSON.stringify(body)}`))).toEqual(new Set(['200 {"data":{"callTool":{"toolCall":"made"},"other":null}}']));
});

it('of documents that aren\'t valid, or no documents: every one is told so', async () => {
  const invalid = await Promise.all(await crowd(40, 'mutation { callTool(input: "x") { weight } }'));
  expect(new Set(invalid.map(({ status, body }) => `${status} ${body.errors?.[0]?.message}`))).toEqual(new Set(['400 Cannot query field "weight" on type "Payload".']));
  const broken = await Promise.all(await crowd(40, 'mutation { callTool('));
  expect(new Set(broken.map(({ status, body }) => `${status} ${body.errors?.[0]?.message}`))).toEqual(new Set(['400 Syntax Error: Expected Name, found <EOF>.']));
});

it('of queries: none waits for a call', async () => {
  const calls = await crowd(10, 'mutation { callTool(input: "x") { toolCall } }');
  await until(() => executing > 0);
  expect((await Promise.all(await crowd(40, '{ hello }'))).map(({ body }) => body.data)).toEqual(Array(40).fill({ hello: 'world' }));
  done.resolve();
  await Promise.all(calls);
});

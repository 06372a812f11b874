import { GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { Registry } from 'prom-client';
import { createHttpServer, type ContextRequest, type HttpServer } from '#api/http/server.js';
import { createLogger } from '#core/log.js';

/** Answers that may leave only when something is on record. */

let committed: Promise<unknown>;
let server: HttpServer;
let lines: string[];

const schema = new GraphQLSchema({
  query: new GraphQLObjectType<unknown, Pick<ContextRequest, 'hold'>>({
    name: 'Query',
    fields: {
      hello: { type: GraphQLString, resolve: () => 'world' },
      recorded: {
        type: GraphQLString,
        resolve: (_source, _args, { hold }) => {
          hold?.(committed);
          return hold === undefined ? 'not held' : 'the result';
        },
      },
    },
  }),
});

beforeEach(async () => {
  lines = [];
  server = await createHttpServer<Pick<ContextRequest, 'hold'>>({
    schema, logger: createLogger('debug', { write: (line: string) => void lines.push(line) }), host: '127.0.0.1', port: 0, localMode: true, corsOrigins: [], introspection: true, bodyLimit: 10_000,
    metrics: new Registry(), ready: () => Promise.resolve({ ok: true, checks: {} }), context: ({ hold }) => Promise.resolve({ hold }),
  });
  await server.listen();
});
afterEach(() => server.close(0));

const ask = (query: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${server.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ query }) });

it('leave when what holds them back is done, and not before', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  committed = promise;
  let answered = false;
  const answer = ask('{ recorded }').then((response) => {
    answered = true;
    return response.json();
  });
  // Requests that came after it have their answers.
  await ask('{ hello }');
  await ask('{ hello }');
  expect(answered).toBe(false);
  resolve();
  expect(await answer).toEqual({ data: { recorded: 'the result' } });
});

it('are errors of ours, without the result, where what holds them back fails', async () => {
  committed = Promise.reject(new Error('password=hunter2: the record could not be written'));
  const text = await (await ask('{ recorded }')).text();
  expect(JSON.parse(text)).toEqual({ data: null, errors: [expect.objectContaining({ message: expect.stringContaining('Internal error'), extensions: { code: 'INTERNAL', requestId: expect.any(String) } })] });
  expect(text).not.toContain('the result');
  expect(text).not.toContain('hunter2');
  expect(lines.filter((line) => line.includes('hunter2'))).toHaveLength(1);
});

it('can\'t be held back where Apollo sends them itself: the resolver isn\'t offered it', async () => {
  const response = await ask('{ recorded }', { accept: 'application/graphql-response+json' });
  expect(await response.json()).toEqual({ data: { recorded: 'not held' } });
});

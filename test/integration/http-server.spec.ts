import { afterEach, describe, expect, it } from '@jest/globals';
import { request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { GraphQLInt, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { Registry } from 'prom-client';
import { createLogger } from '#core/log.js';
import { UserFault } from '#core/errors.js';
import { createHttpServer, type ContextRequest, type HttpServer, type HttpServerOptions } from '#api/http/server.js';
import { IdentityFault } from '#api/identity/identity-fault.js';
import { DateTimeScalar, JsonObjectScalar, JsonScalar } from '#api/graphql/scalars.js';
import { until } from '#test/support/mcp-servers/until.js';

interface Context { requestId: string }

const gate: { release?: () => void; aborted?: Promise<void> } = {};

const schema = new GraphQLSchema({
  query: new GraphQLObjectType<unknown, Context>({
    name: 'Query',
    fields: {
      hello: { type: GraphQLString, resolve: () => 'world' },
      add: { type: GraphQLInt, args: { to: { type: new GraphQLNonNull(GraphQLInt) } }, resolve: (_, { to }) => to + 1 },
      at: { type: DateTimeScalar, args: { when: { type: DateTimeScalar } }, resolve: (_, { when }) => when },
      broken: { type: GraphQLString, resolve: () => { throw new TypeError('password=hunter2 in /etc/secret'); } },
      refused: { type: GraphQLString, resolve: () => { throw new UserFault('NOT_FOUND', 'No such team.'); } },
      private: { type: GraphQLString, resolve: () => { throw new IdentityFault('UNAUTHENTICATED', 'Sign in first.', { missing: true }); } },
      slow: { type: GraphQLString, resolve: () => new Promise((resolve) => { gate.release = () => resolve('done'); }) },
    },
  }),
  mutation: new GraphQLObjectType({
    name: 'Mutation',
    fields: { echo: { type: JsonScalar, args: { json: { type: JsonObjectScalar } }, resolve: (_, { json }) => json } },
  }),
});

let server: HttpServer | undefined;
let lines: string[] = [];

async function start(overrides: Partial<HttpServerOptions<Context>> = {}): Promise<HttpServer> {
  lines = [];
  const logger = createLogger('debug', { write: (line: string) => void lines.push(line) });
  server = await createHttpServer<Context>({
    schema, logger, host: '127.0.0.1', port: 0, localMode: true, corsOrigins: [], introspection: true, bodyLimit: 10_000, metrics: new Registry(),
    ready: async () => ({ ok: true, checks: { database: 'ok' } }),
    context: async ({ requestId }: ContextRequest) => ({ requestId }),
    ...overrides,
  });
  await server.listen();
  return server;
}

afterEach(async () => {
  delete gate.release;
  await server?.close(0);
  server = undefined;
});

const post = (query: string, variables?: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${server!.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ query, variables }) });

interface Answer { data?: Record<string, unknown> | null; errors: { message: string; path?: string[]; extensions: Record<string, unknown> }[] }
const answerOf = async (response: Response): Promise<Answer> => (await response.json()) as Answer;

/** fetch doesn't let a test choose Host. */
function raw(path: string, headers: Record<string, string>, method = 'GET', body?: string): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port: server!.port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => { text += part; });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }));
    });
    request.on('error', reject).end(body);
  });
}

describe('the answer to a GraphQL request', () => {
  it('holds the data, a request id and headers against sniffing, framing and caching', async () => {
    await start();
    const response = await post('{ hello }');
    expect(await response.json()).toEqual({ data: { hello: 'world' } });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  });

  it('carries the caller\'s own request id when it is a sane one, in header, error and log', async () => {
    await start();
    const sane = await post('{ broken }', {}, { 'x-request-id': 'proxy-1234567' });
    expect(sane.headers.get('x-request-id')).toBe('proxy-1234567');
    expect((await answerOf(sane)).errors[0]!.extensions.requestId).toBe('proxy-1234567');
    expect(lines.some((line) => line.includes('"proxy-1234567"'))).toBe(true);
    const odd = await post('{ hello }', {}, { 'x-request-id': '"><script>' });
    expect(odd.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('masks what a resolver throws, and logs the original once with the request id', async () => {
    await start();
    const response = await post('{ broken }');
    const { data, errors } = await answerOf(response);
    expect(response.status).toBe(200);
    expect(data).toEqual({ broken: null });
    const { requestId } = errors[0]!.extensions;
    expect(errors).toEqual([expect.objectContaining({ message: `Internal error; quote request id ${requestId} when you report it.`, path: ['broken'], extensions: { code: 'INTERNAL', requestId } })]);
    expect(lines.filter((line) => line.includes('hunter2'))).toHaveLength(1);
    expect(lines.find((line) => line.includes('hunter2'))).toContain(requestId);
  });

  it('publishes a user fault of a query as an error with its code and public message', async () => {
    await start();
    const { errors } = await answerOf(await post('{ refused }'));
    expect(errors[0]).toMatchObject({ message: 'No such team.', extensions: { code: 'NOT_FOUND', retryable: false } });
  });

  it('is 401 with a challenge when nobody valid is calling, from the context as well as from a resolver', async () => {
    await start();
    const fromResolver = await post('{ private }');
    expect(fromResolver.status).toBe(401);
    expect(fromResolver.headers.get('www-authenticate')).toBe('Bearer');
    await server!.close(0);
    await start({ context: async () => { throw new IdentityFault('UNAUTHENTICATED', 'The token has expired. Sign in again.', { internal: 'kid 7' }); } });
    const fromContext = await post('{ hello }');
    expect(fromContext.status).toBe(401);
    expect(fromContext.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect((await answerOf(fromContext)).errors[0]).toMatchObject({ message: 'The token has expired. Sign in again.', extensions: { code: 'UNAUTHENTICATED' } });
  });

  it('is 503 with Retry-After when the issuer of identities is away, and masks other faults of the context', async () => {
    await start({ context: async () => { throw new IdentityFault('IDENTITY_UNAVAILABLE', 'Try again in a few seconds.'); } });
    const away = await post('{ hello }');
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, '5']);
    await server!.close(0);
    await start({ context: async () => { throw new Error('secret pool'); } });
    const broken = await post('{ hello }');
    expect(broken.status).toBe(500);
    const text = await broken.text();
    expect(text).toContain('"INTERNAL"');
    expect(text).not.toContain('secret pool');
  });
});

describe('bad input', () => {
  const bodyOf = async (response: Response): Promise<Answer['errors'][number]> => (await answerOf(response)).errors[0]!;

  it('that is no JSON gets a JSON error that doesn\'t quote it', async () => {
    await start();
    const response = await fetch(`${server!.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"secret": hunter2' });
    expect(response.status).toBe(400);
    const error = await bodyOf(response);
    expect(error).toEqual({ message: 'The request body can\'t be read: The text is not valid JSON.', extensions: { code: 'BAD_REQUEST', requestId: response.headers.get('x-request-id') } });
  });

  it('that is too large is 413 and names the limit', async () => {
    await start();
    const response = await post(`{ hello } # ${'x'.repeat(20_000)}`);
    expect(response.status).toBe(413);
    expect(await bodyOf(response)).toMatchObject({ message: expect.stringContaining('10000 bytes'), extensions: { code: 'LIMIT_EXCEEDED' } });
  });

  it('of another content type, as simple cross-site forms send it, is refused', async () => {
    await start();
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      const response = await fetch(`${server!.url}/graphql`, { method: 'POST', headers: { 'content-type': type }, body: '{"query":"{ hello }"}' });
      expect([type, response.status, (await bodyOf(response)).extensions.code]).toEqual([type, 415, 'BAD_REQUEST']);
    }
    const none = await fetch(`${server!.url}/graphql`, { method: 'POST' });
    expect(none.status).toBe(400);
  });

  it('that is compressed is refused as that, not as broken JSON', async () => {
    await start();
    const response = await fetch(`${server!.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' }, body: gzipSync('{"query":"{ hello }"}') });
    expect(response.status).toBe(415);
    expect(await bodyOf(response)).toMatchObject({ message: expect.stringContaining('without Content-Encoding'), extensions: { code: 'BAD_REQUEST' } });
  });

  it('by GET is 405, says so, and never runs', async () => {
    await start();
    const response = await fetch(`${server!.url}/graphql?query=${encodeURIComponent('{hello}')}`);
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    expect(await bodyOf(response)).toMatchObject({ message: expect.stringContaining('POST only'), extensions: { code: 'METHOD_NOT_ALLOWED' } });
  });

  it('in batches, as persisted queries or without a query is refused', async () => {
    await start();
    const send = (body: unknown): Promise<Response> =>
      fetch(`${server!.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    for (const body of [[{ query: '{ hello }' }], { extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } }, {}, 5, 'x', null]) {
      const response = await send(body);
      const { errors, data } = await answerOf(response);
      expect(data).toBeUndefined();
      expect(errors[0]!.extensions.requestId).toBe(response.headers.get('x-request-id'));
      expect(errors[0]!.extensions.code).toMatch(/^(BAD_REQUEST|PERSISTED_QUERY_NOT_SUPPORTED)$/);
    }
  });

  it('for an unknown path, or a path that is broken, is JSON', async () => {
    await start();
    const unknown = await fetch(`${server!.url}/wp-login.php`, { headers: { accept: 'text/html' } });
    expect([unknown.status, (await bodyOf(unknown)).extensions.code]).toEqual([404, 'NOT_FOUND']);
    const broken = await raw('/%zz', { host: `127.0.0.1:${server!.port}` });
    expect(broken.status).toBe(400);
    expect(JSON.parse(broken.body).errors[0].extensions.code).toBe('BAD_REQUEST');
  });

  it('in the document is named without suggestions, in variables without their values', async () => {
    await start();
    const field = await post('{ helo }');
    expect([field.status, (await bodyOf(field)).message]).toEqual([400, 'Cannot query field "helo" on type "Query".']);
    const variable = await post('query ($to: Int!) { add(to: $to) }', { to: 'hunter2' });
    expect(variable.status).toBe(400);
    expect(await bodyOf(variable)).toMatchObject({
      message: 'Variable "$to" has an invalid value: Int cannot represent non-integer value.', extensions: { code: 'BAD_USER_INPUT' },
    });
    expect(lines.join('')).not.toContain('hunter2');
  });

  it('that asks for an operation that isn\'t there is told so', async () => {
    await start();
    const response = await fetch(`${server!.url}/graphql`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query: 'query A { hello }', operationName: 'B' }),
    });
    expect([response.status, await bodyOf(response)]).toMatchObject([400, { extensions: { code: 'OPERATION_RESOLUTION_FAILURE' } }]);
  });

  it('with integers beyond 2^53 in JSON is refused, in variables and in literals, never rounded', async () => {
    await start();
    const body = '{"query":"mutation ($j: JSONObject) { echo(json: $j) }","variables":{"j":{"id":[9007199254740993]}}}';
    const variables = await fetch(`${server!.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    expect(variables.status).toBe(400);
    expect(await bodyOf(variables)).toMatchObject({ message: expect.stringContaining('send it as a string'), extensions: { code: 'BAD_USER_INPUT' } });
    const literal = await post('mutation { echo(json: {id: 9007199254740993}) }');
    expect(literal.status).toBe(400);
    expect(await bodyOf(literal)).toMatchObject({ message: expect.stringContaining('send it as a string'), extensions: { code: 'BAD_USER_INPUT' } });
    const exact = await post('mutation ($j: JSONObject) { echo(json: $j) }', { j: { id: 9007199254740991, __proto__x: 1 } });
    expect((await answerOf(exact)).data?.echo).toEqual({ id: 9007199254740991, __proto__x: 1 });
  });
});

describe('Host and Origin', () => {
  it('refuses a host name that isn\'t ours, whatever the path, but answers probes', async () => {
    await start();
    for (const host of ['evil.example', `evil.example:${server!.port}`, '127.0.0.1', '127.0.0.1:1', `localhost.:${server!.port}`]) {
      const { status, body } = await raw('/graphql', { host, 'content-type': 'application/json' }, 'POST', '{"query":"{ hello }"}');
      expect([host, status]).toEqual([host, 421]);
      expect(JSON.parse(body).errors[0].extensions.code).toBe('HOST_REFUSED');
    }
    for (const host of [`localhost:${server!.port}`, `LOCALHOST:${server!.port}`, `[::1]:${server!.port}`]) {
      expect((await raw('/graphql', { host, 'content-type': 'application/json' }, 'POST', '{"query":"{ hello }"}')).status).toBe(200);
    }
    expect((await raw('/healthz', { host: '10.0.0.7:8080' })).status).toBe(200);
    expect((await raw('/readyz', { host: '10.0.0.7:8080' })).status).toBe(200);
  });

  it('knows the public URL\'s host with and without its default port', async () => {
    await start({ publicUrl: 'https://fairlead.example/', localMode: false });
    expect(server!.url).toBe('https://fairlead.example');
    for (const host of ['fairlead.example', 'fairlead.example:443', 'Fairlead.Example']) {
      expect((await raw('/nowhere', { host })).status).toBe(404);
    }
    expect((await raw('/nowhere', { host: 'fairlead.example:444' })).status).toBe(421);
  });

  it('lets pages of any loopback origin call in local mode, and those of other origins never', async () => {
    await start();
    const local = await post('{ hello }', {}, { origin: 'http://localhost:5173' });
    expect([local.status, local.headers.get('access-control-allow-origin')]).toEqual([200, 'http://localhost:5173']);
    expect(local.headers.get('access-control-allow-credentials')).toBeNull();
    for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example', 'http://127.0.0.1.evil.example:4000']) {
      const foreign = await post('{ hello }', {}, { origin });
      expect([origin, foreign.status, foreign.headers.get('access-control-allow-origin')]).toEqual([origin, 403, null]);
    }
  });

  it('outside of local mode lets exactly the configured origins call', async () => {
    await start({ localMode: false, corsOrigins: ['https://app.example'] });
    const preflight = await fetch(`${server!.url}/graphql`, {
      method: 'OPTIONS', headers: { origin: 'https://app.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect((await post('{ hello }', {}, { origin: 'http://localhost:5173' })).status).toBe(403);
    expect((await post('{ hello }', {}, { origin: 'https://app.example.evil' })).status).toBe(403);
    expect((await post('{ hello }', {}, { origin: server!.url })).status).toBe(200);
  });
});

describe('operation', () => {
  it('logs a line per request that holds no header, variable or body', async () => {
    await start();
    await post('query Fetch($to: Int!) { add(to: $to) }', { to: 424242 }, { authorization: 'Bearer flt_canary' });
    const line = lines.map((text) => JSON.parse(text)).find((entry) => entry.msg === 'request');
    expect(line).toMatchObject({ method: 'POST', path: '/graphql', status: 200, operation: 'add', operationName: 'Fetch', ms: expect.any(Number) });
    expect(lines.join('')).not.toMatch(/canary|424242/);
  });

  it('counts requests by root field, and never by a name that a client chose', async () => {
    const metrics = new Registry();
    await start({ metrics });
    await post('query Evil123 { alias: hello }');
    await post('{ broken }');
    await post('{ nonsense }');
    const text = await metrics.metrics();
    expect(text).toContain('fairlead_graphql_request_duration_seconds_count{operation="hello",outcome="ok"} 1');
    expect(text).toContain('fairlead_graphql_request_duration_seconds_count{operation="broken",outcome="errors"} 1');
    expect(text).toContain('fairlead_graphql_request_duration_seconds_count{operation="none",outcome="refused"} 1');
    expect(text).not.toMatch(/Evil123|alias/);
  });

  it('says what isn\'t ready', async () => {
    await start({ ready: async () => ({ ok: false, checks: { database: 'no connection' } }) });
    const response = await fetch(`${server!.url}/readyz`);
    expect([response.status, await response.json()]).toEqual([503, { status: 'not ready', checks: { database: 'no connection' } }]);
    expect((await fetch(`${server!.url}/healthz`)).status).toBe(200);
  });

  it('aborts the signal when the client goes away before the answer', async () => {
    let aborted!: () => void;
    const gone = new Promise<void>((resolve) => { aborted = resolve; });
    const started = new Promise<void>((resolve) => {
      void start({ context: async ({ requestId, signal }) => { signal.addEventListener('abort', aborted); resolve(); return { requestId }; } }).then(() => {
        const client = new AbortController();
        void started.then(() => client.abort());
        void fetch(`${server!.url}/graphql`, {
          method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":"{ slow }"}', signal: client.signal,
        }).catch(() => undefined);
      });
    });
    await started;
    await gone;
    gate.release?.();
  });

  it('finishes what is running when it closes, and waits for nothing else', async () => {
    let entered!: () => void;
    const running = new Promise<void>((resolve) => { entered = resolve; });
    await start({ context: async ({ requestId }) => { setImmediate(entered); return { requestId }; } });
    const answer = post('{ slow }');
    await running;
    await until(() => gate.release !== undefined);
    expect(await server!.ready()).toEqual({ ok: true, checks: { database: 'ok' } });
    const closed = server!.close(120_000);
    expect(await server!.ready()).toEqual({ ok: false, checks: { process: 'closing' } });
    gate.release!();
    expect(await (await answer).json()).toEqual({ data: { slow: 'done' } });
    await closed;
    server = undefined;
  });

  it('says that a port is taken instead of hanging', async () => {
    await start();
    const { port } = server!;
    const second = await createHttpServer<Context>({
      schema, logger: createLogger('silent'), host: '127.0.0.1', port, localMode: true, corsOrigins: [], introspection: false, bodyLimit: 1000,
      metrics: new Registry(), ready: async () => ({ ok: true, checks: {} }), context: async ({ requestId }) => ({ requestId }),
    });
    await expect(second.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await second.close(0);
  });
});

describe('the explorer', () => {
  it('is a page whose every asset is served from here, under a policy that allows nothing else', async () => {
    await start();
    const redirect = await fetch(`${server!.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(redirect.url).toBe(`${server!.url}/explorer`);
    const html = await redirect.text();
    const policy = redirect.headers.get('content-security-policy')!;
    expect(policy).not.toMatch(/https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline/);
    const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!).filter((path) => !path.startsWith('data:'));
    expect(assets).toEqual(['/explorer/script.js']);
    expect(html).not.toContain('<script>');
    const script = await (await fetch(new URL(assets[0]!, server!.url))).text();
    // Seen in a browser: without this, GraphiQL's history keeps the pasted token.
    expect(script.indexOf("defineProperty(window, 'localStorage'")).toBeGreaterThan(0);
    expect(script.indexOf("defineProperty(window, 'localStorage'")).toBeLessThan(1_000);
    expect((await fetch(`${server!.url}/explorer/nope.js`)).status).toBe(404);
    expect((await fetch(`${server!.url}/explorer/..%2f..%2fpackage.json`)).status).toBe(404);
  });

  it('is not there when introspection is off, nor is the schema', async () => {
    await start({ introspection: false });
    for (const path of ['/explorer', '/']) expect((await fetch(`${server!.url}${path}`)).status).toBe(404);
    const response = await post('{ __schema { types { name } } }');
    expect(response.status).toBe(400);
    const text = await response.text();
    expect(text).not.toContain('"types"');
    expect(text).toContain('FAIRLEAD_INTROSPECTION=on');
  });
});

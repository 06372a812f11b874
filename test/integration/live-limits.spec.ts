import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { request as httpRequest } from 'node:http';
import { WebSocket } from 'ws';
import { LIVE_LIMITS } from '#api/live/limits.js';
import { startTestApi, type TestApi } from '#test/support/api.js';
import { liveClient, type LiveClient } from '#test/support/live/live-client.js';
import { until } from '#test/support/mcp-servers/until.js';

/** A WebSocket bypasses what Apollo and Fastify guard: each guard again, over a real socket. */

let api: TestApi;
const clients: LiveClient[] = [];
const sockets: WebSocket[] = [];
beforeAll(async () => { api = await startTestApi({ env: { FAIRLEAD_INTROSPECTION: 'false' } }); });
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  for (const socket of sockets.splice(0)) socket.terminate();
});
afterAll(() => api?.stop());

function connect(token: string | null = api.adminToken): LiveClient {
  const client = liveClient(api.url, token);
  clients.push(client);
  return client;
}

async function refusal(document: string, variables: Record<string, unknown> = {}): Promise<Record<string, unknown> & { message: string }> {
  const watch = connect().watch(document, variables);
  await watch.ended;
  const [error] = (watch.errors[0] === undefined ? watch.events[0].errors : watch.errors) as [{ message: string; extensions: Record<string, unknown> }];
  return { ...error.extensions, message: error.message };
}

/** A socket below graphql-ws, and all that comes over it. */
function raw(headers: Record<string, string> = {}, path = '/graphql', protocol = 'graphql-transport-ws') {
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}${path}`, protocol, { headers });
  sockets.push(socket);
  const messages: { type: string }[] = [];
  socket.on('message', (data) => void messages.push(JSON.parse(String(data)) as { type: string }));
  const closed = new Promise<number>((resolve) => { socket.on('close', resolve); });
  const refused = new Promise<number>((resolve) => { socket.on('unexpected-response', (_request, response) => resolve(response.statusCode!)); });
  socket.on('error', () => undefined);
  const opened = new Promise<void>((resolve) => { socket.on('open', resolve); });
  return { socket, messages, closed, refused, opened };
}

describe('only subscriptions are served', () => {
  it.each(['{ viewer { id } }', 'mutation { createTeam(input: {slug: "by-socket", displayName: "x"}) { team { id } userErrors { code } } }'])('not %s', async (document) => {
    expect(await refusal(document)).toMatchObject({ code: 'BAD_REQUEST', message: expect.stringContaining('POST /graphql') });
    expect((await api.gql('{ team(slug: "by-socket") { id } }')).data.team).toBeNull();
  });

  it('and over HTTP they are not', async () => {
    const { status, errors } = await api.gql('ConnectionTypeChanged', { team: 'default' });
    expect([status, errors[0]?.extensions.code, errors[0]?.message]).toEqual([400, 'BAD_REQUEST', expect.stringContaining('WebSocket')]);
  });

  it('nor the schema, where introspection is off', async () => {
    expect((await refusal('subscription { __schema { types { name } } }')).code).toBe('GRAPHQL_VALIDATION_FAILED');
    const typename = await refusal('query { __schema { types { name } } }');
    expect(typename.code).toBe('GRAPHQL_VALIDATION_FAILED');
  });
});

describe('documents are limited and errors masked as over HTTP', () => {
  it.each([
    ['tokens', `subscription { toolCallChanged(id: "x") { ${'id '.repeat(3000)} } }`],
    ['aliases', `subscription { toolCallChanged(id: "x") { ${Array.from({ length: 60 }, (_, index) => `a${index}: id`).join(' ')} } }`],
    ['cost', `subscription { connectionTypeChanged(team: "default") { connectionType { ${'viewerEnrollments { connectionType { '.repeat(3)}tools(first: 100) { nodes { id change { toHash } annotations { readOnlyHint } } }${' } }'.repeat(3)} } } }`],
  ])('%s', async (limit, document) => {
    expect(await refusal(document)).toMatchObject({ code: 'LIMIT_EXCEEDED', limit, requestId: expect.any(String) });
  });

  it('no suggestions, no values, and a request id', async () => {
    const unknown = await refusal('subscription { connectionTypeChange(team: "default") { id } }');
    expect(unknown).toMatchObject({ code: 'GRAPHQL_VALIDATION_FAILED', requestId: expect.any(String) });
    expect(unknown.message).not.toContain('Did you mean');
    const variable = await refusal('subscription ($team: String!) { connectionTypeChanged(team: $team) { id } }', { team: { secret: 'hunter2' } });
    expect(variable.code).toBe('BAD_USER_INPUT');
    expect(variable.message).not.toContain('hunter2');
    expect((await refusal('subscription {')).code).toBe('GRAPHQL_PARSE_FAILED');
  });

  it('a socket has so many subscriptions, and room again when one ends', async () => {
    const client = connect();
    const watches = Array.from({ length: LIVE_LIMITS.subscriptionsPerSocket }, () => client.watch('ConnectionTypeChanged', { team: 'default' }));
    const began = () => api.logs().filter((line) => line.includes('a subscription began')).length;
    await until(() => began() >= watches.length);
    const over = client.watch('ConnectionTypeChanged', { team: 'default' });
    await over.ended;
    expect(over.errors).toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }]);
    watches[0]!.stop();
    const before = began();
    await until(async () => {
      const next = client.watch('ConnectionTypeChanged', { team: 'default' });
      await Promise.race([next.ended, until(() => began() > before)]);
      return next.errors.length === 0;
    });
  });
});

describe('connections', () => {
  it.each([['no credential', null], ['a wrong one', 'flt_wrong']])('with %s are closed', async (_what, token) => {
    expect(await connect(token).closed).toMatchObject({ code: 4403 });
  });

  it('are so many for one token', async () => {
    const first = Array.from({ length: LIVE_LIMITS.socketsPerPrincipal }, () => connect());
    const watches = first.map((client) => client.watch('ToolCallChanged', { id: 'x' }));
    await Promise.all(watches.map((watch) => watch.ended));
    expect(await connect().closed).toMatchObject({ code: 1013 });
  });

  it.each([
    ['another host', 421, { host: 'evil.example' }, '/graphql'], ['a foreign page', 403, { origin: 'https://evil.example' }, '/graphql'], ['elsewhere', 404, {}, '/readyz'],
  ])('from or to %s are refused with %i', async (_what, status, headers, path) => {
    expect(await raw(headers as Record<string, string>, path).refused).toBe(status);
  });

  it('in another protocol, or with what isn\'t a message, are closed', async () => {
    expect(await raw({}, '/graphql', 'graphql-ws').closed).toBe(1006);
    const noise = raw();
    await noise.opened;
    noise.socket.send('hello');
    expect(await noise.closed).toBe(4400);
    const large = raw();
    await large.opened;
    large.socket.send('x'.repeat(LIVE_LIMITS.messageBytes + 1));
    expect(await large.closed).toBe(1009);
    const early = raw();
    await early.opened;
    early.socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: 'subscription { toolCallChanged(id: "x") { id } }' } }));
    expect(await early.closed).toBe(4401);
    const flood = raw();
    await flood.opened;
    for (let count = 0; count <= LIVE_LIMITS.messagesPerWindow; count++) flood.socket.send('{"type":"ping"}');
    expect(await flood.closed).toBe(1008);
    expect(await raw().closed).toBe(4408);
  });

  it('that are offered for something else than WebSocket are answered as if they weren\'t', async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const request = httpRequest(`${api.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${api.adminToken}`, connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAAP__' } }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      });
      request.on('error', reject).end('{"query":"{ viewer { id } }"}');
    });
    expect(status).toBe(200);
  });
});

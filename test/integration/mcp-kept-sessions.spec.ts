import { KeptSessions, type KeptSessionsOptions } from '#core/mcp/kept-sessions.js';
import { probeServer } from '#core/mcp/probe.js';
import { freePort } from '#test/support/free-port.js';
import { testClient, type TestClient } from '#test/support/mcp-servers/client.js';
import { listen, sendJson } from '#test/support/mcp-servers/listener.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { startScripted, type Exchange } from '#test/support/mcp-servers/scripted.js';
import { until } from '#test/support/mcp-servers/until.js';

/** Looks at one server after another, as the operator makes them: through the session that the look before left. */

let client: TestClient;
let keep: KeptSessions;
let time = 0;
const closing: { close(): Promise<void> }[] = [];

beforeEach(() => {
  client = testClient();
  keep = keeping();
});
afterEach(async () => {
  await keep.close(1000);
  await Promise.all(closing.splice(0).map((server) => server.close()));
  await client.egress.close();
});

function keeping(options: Partial<KeptSessionsOptions> = {}): KeptSessions {
  return new KeptSessions({ idleMs: 60_000, maxAgeMs: 3_600_000, maxSessions: 10, clock: () => performance.now() + time, ...options });
}
const look = (url: string, headers?: Record<string, string>) => probeServer({ url, headers, opener: client.opener, egress: client.egress, timeoutMs: 10_000, clock: () => performance.now(), keep });
const requests = ({ seen }: MinimalServer) => seen.map(({ method, body }) => (method === 'POST' ? (body as { method: string }).method : method));
async function stateful(): Promise<MinimalServer> {
  const server = await startMinimal({ stateful: true });
  closing.push(server);
  return server;
}

it('the second look is one request, through the session that the first one opened, and shows what the server lists now', async () => {
  const server = await stateful();
  expect(await look(server.url)).toMatchObject({ verdict: 'OK', toolCount: 1 });
  expect(requests(server).slice(-3)).toEqual(['initialize', 'notifications/initialized', 'tools/list']);
  const before = server.seen.length;
  server.tools.push({ name: 'more', inputSchema: { type: 'object' } });
  expect(await look(server.url)).toMatchObject({ verdict: 'OK', toolCount: 2, protocolVersion: '2025-11-25', server: { name: 'minimal', version: '1.0.0' } });
  expect(requests(server).slice(before)).toEqual(['tools/list']);
  expect([server.sessions.size, keep.size]).toEqual([1, 1]);
});

it('a server that forgot the session is fine all the same: the look opens another one', async () => {
  const server = await stateful();
  await look(server.url);
  server.forget();
  expect(await look(server.url)).toMatchObject({ verdict: 'OK' });
  expect([server.sessions.size, keep.size]).toEqual([1, 1]);
});

it('a server that is gone, or became something else, is found out as without a session', async () => {
  const server = await stateful();
  await look(server.url);
  await server.close();
  expect(await look(server.url)).toMatchObject({ verdict: 'UNREACHABLE' });
  // Somebody else listens there when it has gone.
  const other = await startMinimal({ stateful: true, port: await freePort() });
  await look(other.url);
  await other.close();
  closing.splice(0);
  const page = await listen((_request, response) => void response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Moved</h1>'), '/mcp', [], other.port);
  closing.push(page);
  expect(await look(page.url)).toMatchObject({ verdict: 'NOT_MCP' });
  expect(keep.size).toBe(0);
});

it('a server that wants a credential by now says so', async () => {
  let locked = false;
  const server = await startScripted({});
  closing.push(server);
  server.script = {
    methods: {
      'initialize': (exchange) => (locked ? refuse(exchange) : sendJson(exchange.response, 200, { jsonrpc: '2.0', id: exchange.message.id, result: { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's', version: '1' } } }, { 'Mcp-Session-Id': 'one' })),
      'tools/list': (exchange) => (locked ? refuse(exchange) : exchange.result({ tools: [] })),
    },
  };
  const refuse = ({ response }: Exchange) => sendJson(response, 401, {}, { 'WWW-Authenticate': 'Bearer realm="late"' });
  expect(await look(server.url)).toMatchObject({ verdict: 'OK' });
  locked = true;
  expect(await look(server.url)).toMatchObject({ verdict: 'AUTHENTICATION_REQUIRED', challenge: 'Bearer realm="late"' });
});

it('nothing is kept of a look with a credential, nor of a server without sessions', async () => {
  const server = await stateful();
  await look(server.url, { Authorization: 'Bearer secret' });
  expect([server.sessions.size, keep.size]).toEqual([0, 0]);
  const stateless = await startMinimal();
  closing.push(stateless);
  await look(stateless.url);
  expect(keep.size).toBe(0);
});

it('sessions are ended when they are idle, too old, too many, or the process stops', async () => {
  const server = await stateful();
  keep = keeping({ idleMs: 1000 });
  await look(server.url);
  expect(server.sessions.size).toBe(1);
  await until(() => server.sessions.size === 0);

  keep = keeping();
  await look(server.url);
  time += 2 * 3_600_000;
  await look(server.url);
  await until(() => server.sessions.size === 0);
  time = 0;

  keep = keeping({ maxSessions: 1 });
  await look(server.url);
  const second = await stateful();
  await look(second.url);
  await until(() => second.sessions.size === 0);
  expect(server.sessions.size).toBe(1);
  await keep.close(1000);
  expect(server.sessions.size).toBe(0);
  expect(requests(server).at(-1)).toBe('DELETE');
});

it('a list that is said to have changed while it was read is read again, once', async () => {
  let lists = 0;
  const server = await startScripted({
    methods: {
      'tools/list': ({ response, message }) => {
        lists += 1;
        const tools = [{ name: `tool-${lists}`, inputSchema: { type: 'object' } }];
        const events = [{ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }, { jsonrpc: '2.0', id: message.id, result: { tools } }];
        response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end(events.map((one) => `data: ${JSON.stringify(one)}\n\n`).join(''));
      },
    },
  });
  closing.push(server);
  expect((await look(server.url)).tools).toMatchObject([{ name: 'tool-2' }]);
  expect(lists).toBe(2);
});

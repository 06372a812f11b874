import type { Era } from '#core/mcp/session.js';
import { NotMcpAnswer, SessionForgotten } from '#core/mcp/faults.js';
import { CALL_LIMITS, testClient, type TestClient } from '#test/support/mcp-servers/client.js';
import { sendJson, type SeenRequest } from '#test/support/mcp-servers/listener.js';
import { startScripted, type Behaviour, type Exchange, type Script, type ScriptedServer } from '#test/support/mcp-servers/scripted.js';
import { until } from '#test/support/mcp-servers/until.js';

/** The first requests to a server, which are ours to get right. */

const closing: { close(): Promise<void> }[] = [];
let client: TestClient;

beforeEach(() => { client = testClient(); });
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close();
  await client.egress.close();
});

async function scripted(methods: Script['methods'], tools: Script['tools'] = {}): Promise<ScriptedServer> {
  const server = await startScripted({ methods, tools });
  closing.push(server);
  return server;
}
const open = (server: ScriptedServer, era: Era = 'LEGACY', more: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
  client.opener.open({ url: server.url, headers: { Authorization: 'Bearer secret' }, timeoutMs: 5_000, era, ...more });
const bodyOf = ({ body }: SeenRequest) => body as { id?: number; method: string; params?: Record<string, unknown> };
const INITIALIZED = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's', version: '1' } };
const inSession = (more: object = {}): Behaviour => ({ response, message }: Exchange) =>
  sendJson(response, 200, { jsonrpc: '2.0', id: message.id, result: { ...INITIALIZED, ...more } }, { 'Mcp-Session-Id': 'one' });

describe('of the legacy era', () => {
  it('asks for the newest revision, goes on with what was agreed upon and with the session, and uses no id twice', async () => {
    const server = await scripted({ initialize: inSession({ protocolVersion: '2025-03-26' }) }, { echo: ({ result }) => result({ content: [] }) });
    const session = await open(server);
    await session.callTool({ name: 'echo', arguments: {}, ...CALL_LIMITS });
    const [first, ...later] = server.seen;
    expect(bodyOf(first!)).toMatchObject({ method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: expect.any(String), version: expect.any(String) } } });
    expect([first!.headers['mcp-protocol-version'], first!.headers['mcp-session-id']]).toEqual([undefined, undefined]);
    expect(later.map(({ headers }) => [headers['mcp-protocol-version'], headers['mcp-session-id']])).toEqual([['2025-03-26', 'one'], ['2025-03-26', 'one']]);
    expect(later.map((request) => bodyOf(request).method)).toEqual(['notifications/initialized', 'tools/call']);
    expect(new Set([first!, later[1]!].map((request) => bodyOf(request).id)).size).toBe(2);
    expect(session.facts).toEqual({ era: 'LEGACY', protocolVersion: '2025-03-26', server: { name: 's', version: '1' } });
  });

  it.each(['at the deadline', 'by the caller'])('is not cancelled when it is given up %s: the specification forbids it', async (how) => {
    const server = await scripted({ initialize: () => undefined });
    const cancel = new AbortController();
    const opening = open(server, 'LEGACY', how === 'by the caller' ? { signal: cancel.signal } : { timeoutMs: 200 });
    void opening.catch(() => undefined);
    await until(() => server.seen.length > 0);
    cancel.abort();
    await expect(opening).rejects.toMatchObject(how === 'by the caller' ? { name: 'CallCancelled' } : { code: 'TIMEOUT' });
    await until(() => server.connections() === 0);
    expect(server.seen.map((request) => bodyOf(request).method)).toEqual(['initialize']);
  });

  it('takes its answer out of a stream, with what comes before it', async () => {
    const server = await scripted({
      initialize: ({ response, message }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const event = (json: object): void => void response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...json })}\n\n`);
        event({ method: 'notifications/message', params: { level: 'info', data: 'hello' } });
        event({ id: message.id, result: INITIALIZED });
        response.end();
      },
    });
    expect((await open(server)).facts.server).toEqual({ name: 's', version: '1' });
  });

  it('fails as the second request does', async () => {
    const refusing = (status: number): Behaviour => ({ response }) => sendJson(response, status, {}, { 'WWW-Authenticate': 'Bearer realm="late"' });
    await expect(open(await scripted({ initialize: inSession(), 'notifications/initialized': refusing(401) }))).rejects.toMatchObject({ code: 'UNAUTHORIZED', challenge: 'Bearer realm="late"' });
    const lost = await open(await scripted({ initialize: inSession(), 'notifications/initialized': refusing(404) })).catch((error: unknown) => error);
    // There was no session yet that anybody could open anew.
    expect(lost).not.toBeInstanceOf(SessionForgotten);
    expect(lost).toMatchObject({ code: 'PROTOCOL_ERROR', status: 404 });
  });

  it.each<[string, object]>([
    ['another revision', { protocolVersion: '1999-01-01' }], ['no revision', { protocolVersion: undefined }], ['no name', { serverInfo: { version: '1' } }], ['nobody', { serverInfo: null }], ['no capabilities', { capabilities: 'all' }],
  ])('is not MCP with %s', async (_what, result) => {
    await expect(open(await scripted({ initialize: inSession(result) }))).rejects.toBeInstanceOf(NotMcpAnswer);
  });
});

describe('of the modern era', () => {
  const discovered = { supportedVersions: ['2027-01-01', '2026-07-28'], capabilities: { tools: {} }, resultType: 'complete' };

  it('is one request, which says who asks; a server need not say who it is', async () => {
    const server = await scripted({ 'server/discover': ({ result }) => result(discovered) });
    expect((await open(server, 'MODERN')).facts).toEqual({ era: 'MODERN', protocolVersion: '2026-07-28', server: null });
    expect(server.seen).toHaveLength(1);
    expect(server.seen[0]!.headers).toMatchObject({ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover', 'authorization': 'Bearer secret' });
    expect(bodyOf(server.seen[0]!).params).toMatchObject({ _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientInfo': { name: expect.any(String) }, 'io.modelcontextprotocol/clientCapabilities': {} } });
  });

  it.each<[string, object]>([['other revisions', { supportedVersions: ['2027-01-01'] }], ['no list of them', { supportedVersions: '2026-07-28' }], ['no capabilities', { capabilities: null }]])('is not MCP with %s', async (_what, result) => {
    await expect(open(await scripted({ 'server/discover': (exchange) => exchange.result({ ...discovered, ...result }) }), 'MODERN')).rejects.toBeInstanceOf(NotMcpAnswer);
  });
});

describe('a redirect', () => {
  const redirect = (status: number, location: string): Behaviour => ({ response }) => void response.writeHead(status, { location }).end();

  it.each([[307, '/elsewhere'], [308, '/elsewhere']])('(%i) within the origin is followed, and later requests go there', async (status, location) => {
    const server = await scripted({ initialize: (exchange) => (exchange.request.url === '/mcp' ? redirect(status, location)(exchange) : inSession()(exchange)) });
    await open(server);
    expect(server.seen.map(({ path }) => path)).toEqual(['/mcp', '/elsewhere', '/elsewhere']);
  });

  it.each<[string, (port: number) => [number, string]]>([
    ['to another origin', (port) => [307, `http://localhost:${port}/mcp`]], ['with credentials in it', (port) => [307, `http://ada:secret@127.0.0.1:${port}/elsewhere`]],
    ['that would make a GET of it', () => [302, '/elsewhere']], ['to nowhere', () => [307, 'http://']], ['that leads in a circle', () => [307, '/mcp']],
  ])('%s is an answer that isn\'t MCP', async (what, target) => {
    const server: ScriptedServer = await scripted({ '*': (exchange) => redirect(...target(server.port))(exchange) });
    await expect(open(server)).rejects.toMatchObject({ code: 'PROTOCOL_ERROR', status: target(server.port)[0] });
    expect(server.seen.length).toBe(what.endsWith('circle') ? 4 : 1);
  });
});

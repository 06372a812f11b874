import { PeerFault } from '#core/errors.js';
import { RpcFault, SessionForgotten } from '#core/mcp/faults.js';
import { callTraits } from '#core/mcp/param-headers.js';
import { CallCancelled, type McpSession, type ToolCall } from '#core/mcp/session.js';
import { CALL_LIMITS, LIST_LIMITS, testClient, type TestClient } from '#test/support/mcp-servers/client.js';
import { startMisbehaving, type Misbehaviour, type MisbehavingServer } from '#test/support/mcp-servers/misbehaving.js';
import { until } from '#test/support/mcp-servers/until.js';

const SECRET = 'canary-7f3a9c-secret';
const opened: { close(): Promise<void> }[] = [];
let client: TestClient;

beforeEach(() => { client = testClient(); });
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await client.egress.close();
});

async function open(kind: Misbehaviour): Promise<{ server: MisbehavingServer; session: McpSession; call: (limits?: Partial<ToolCall>) => ReturnType<McpSession['callTool']> }> {
  const server = await startMisbehaving(kind);
  opened.unshift(server);
  const session = await client.opener.open({ url: server.url, headers: { Authorization: `Bearer ${SECRET}` }, timeoutMs: 10_000, era: 'LEGACY' });
  opened.unshift(session);
  return { server, session, call: (limits = {}) => session.callTool({ name: 'echo', arguments: {}, ...CALL_LIMITS, ...limits }) };
}

describe('a call whose outcome stays open', () => {
  it.each<[Misbehaviour, string, Partial<ToolCall>]>([
    ['closes', 'UNREACHABLE', {}],
    ['resets', 'UNREACHABLE', {}],
    ['cuts-stream', 'UNREACHABLE', {}],
    ['hangs', 'TIMEOUT', { timeoutMs: 1000 }],
    ['streams-for-ever', 'TIMEOUT', { timeoutMs: 1000, maxBytes: 100 * 1024 * 1024 }],
    ['streams-for-ever', 'RESULT_TOO_LARGE', { maxBytes: 20_000 }],
    ['huge', 'RESULT_TOO_LARGE', {}],
    ['garbage', 'PROTOCOL_ERROR', {}],
    ['wrong-id', 'PROTOCOL_ERROR', {}],
    ['no-content', 'PROTOCOL_ERROR', {}],
    ['input-required', 'INPUT_REQUIRED', {}],
    ['task', 'TASK_REQUIRED', {}],
  ])('to a server that %s is %s', async (kind, code, limits) => {
    const { call } = await open(kind);
    await expect(call(limits)).rejects.toMatchObject({ name: 'PeerFault', code, sent: 'MAYBE' });
  });
});

describe('a call that was refused', () => {
  it('is UNAUTHORIZED with the challenge after a 401', async () => {
    const { server, call } = await open('unauthorized-after');
    server.allowCalls(2);
    await call();
    await call();
    await expect(call()).rejects.toMatchObject({ code: 'UNAUTHORIZED', sent: 'REFUSED', status: 401, challenge: 'Bearer error="invalid_token"' });
  });

  it('is INSUFFICIENT_SCOPE with the challenge', async () => {
    const { call } = await open('insufficient-scope');
    await expect(call()).rejects.toMatchObject({ code: 'INSUFFICIENT_SCOPE', sent: 'REFUSED', challenge: 'Bearer error="insufficient_scope", scope="stock.write"' });
  });

  it('says when to come back, where the server said it', async () => {
    const { call } = await open('rate-limited');
    await expect(call()).rejects.toMatchObject({ code: 'UNREACHABLE', sent: 'REFUSED', retryAfterMs: 3_000 });
  });

  it.each<Misbehaviour>(['forgets-sessions', 'forgets-sessions-with-400'])('shows that the session is gone (%s)', async (kind) => {
    const { call } = await open(kind);
    await call();
    const fault = await call().catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(SessionForgotten);
    expect(fault).toMatchObject({ sent: 'REFUSED' });
  });

  it('was never sent where no connection could be opened', async () => {
    const { server, call } = await open('hangs');
    await server.close();
    await until(() => server.connections() === 0);
    await expect(call()).rejects.toMatchObject({ code: 'UNREACHABLE', sent: 'NOTHING' });
  });

  it('was never sent where it was cancelled before', async () => {
    const { server, call } = await open('hangs');
    const before = server.seen.length;
    await expect(call({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'CallCancelled', sent: 'NOTHING' });
    expect(server.seen.length).toBe(before);
  });
});

describe('giving up', () => {
  it.each(['by the caller', 'at the deadline'])('%s is told to a legacy server', async (how) => {
    const { server, call } = await open('hangs');
    const cancel = new AbortController();
    const running = call(how === 'by the caller' ? { signal: cancel.signal } : { timeoutMs: 1000 });
    const method = (at: number): unknown => (server.seen.at(at)?.body as { method?: string } | undefined)?.method;
    void running.catch(() => undefined);
    await until(() => method(-1) === 'tools/call' || method(-1) === 'notifications/cancelled');
    cancel.abort();
    await expect(running).rejects.toBeInstanceOf(how === 'by the caller' ? CallCancelled : PeerFault);
    await until(() => method(-1) === 'notifications/cancelled');
    const calls = server.seen.map((request) => request.body as { id?: number; method: string; params: { requestId: number } });
    expect(calls.at(-1)!.params.requestId).toBe(calls.find(({ method: name }) => name === 'tools/call')!.id);
  });
});

describe('an answer as a stream', () => {
  it('comes through while the server asks things in between: pings are answered, everything else is refused', async () => {
    const { server, call } = await open('server-requests');
    const progress: unknown[] = [];
    expect((await call({ onProgress: (report) => progress.push(report) })).content).toEqual([{ type: 'text', text: 'fine' }]);
    expect(server.answers).toHaveLength(3);
    expect(server.answers).toEqual(expect.arrayContaining([
      { jsonrpc: '2.0', id: 'p-1', result: {} },
      { jsonrpc: '2.0', id: 77, error: { code: -32601, message: expect.any(String) } },
      { jsonrpc: '2.0', id: 'e-1', error: { code: -32601, message: expect.any(String) } },
    ]));
    expect(progress).toEqual([{ progress: 1, total: 2, message: 'half' }]);
  });

  it('is resumed where the server ended it after an event id', async () => {
    const { call } = await open('resumes-stream');
    expect((await call()).content).toEqual([{ type: 'text', text: 'fine' }]);
  });

  it('leaves its connection for the next call', async () => {
    const { server, call } = await open('server-requests');
    for (let i = 0; i < 5; i++) await call();
    // The calls one after the other need one, and the answers in between a few more.
    expect(server.connections()).toBeLessThanOrEqual(4);
  });
});

describe('listing', () => {
  it('reads many pages, the empty cursor too', async () => {
    const { session } = await open('many-pages');
    expect((await session.listTools(LIST_LIMITS)).tools.map((tool) => tool.name)).toEqual(Array.from({ length: 12 }, (_, i) => `tool-${i}`));
  });

  it.each<[Misbehaviour, string]>([['endless-pages', 'RESULT_TOO_LARGE'], ['cursor-loop', 'PROTOCOL_ERROR']])('ends with %s', async (kind, code) => {
    const { session } = await open(kind);
    await expect(session.listTools(LIST_LIMITS)).rejects.toMatchObject({ code });
  });

  it('keeps the good tools beside bad ones', async () => {
    const { session } = await open('bad-tools');
    const { tools, dropped } = await session.listTools(LIST_LIMITS);
    expect(tools.map((tool) => tool.name)).toEqual(['good', 'remote-ref', 'bad-pattern', 'also-good']);
    expect(dropped.map((tool) => tool.name)).toEqual([null, 'no-schema', 'bad\nname', null, 'good', 'deep']);
  });

  it('does not run a catastrophic pattern, neither when listing nor when calling', async () => {
    const { session, call } = await open('catastrophic-schema');
    const { tools } = await session.listTools(LIST_LIMITS);
    await call({ arguments: { text: `${'a'.repeat(40)}!` }, traits: callTraits(tools[0]!) });
  });

  it('shows what changed', async () => {
    const { server, session } = await open('changing-tools');
    const before = (await session.listTools(LIST_LIMITS)).tools;
    server.setTools([{ name: 'echo', description: 'Gives back.', inputSchema: { type: 'object', required: ['x'] } }, { name: 'new', inputSchema: {} }]);
    const after = (await session.listTools(LIST_LIMITS)).tools;
    expect([before.length, after.length]).toEqual([1, 2]);
  });
});

describe('opening', () => {
  it.each<[Misbehaviour, string, object]>([
    ['html', 'PROTOCOL_ERROR', { status: 200, contentType: 'text/html' }],
    ['not-found', 'PROTOCOL_ERROR', { status: 404 }],
    ['plain-json', 'PROTOCOL_ERROR', { contentType: 'application/json' }],
    ['garbage-always', 'PROTOCOL_ERROR', { contentType: 'application/json' }],
    ['server-error', 'UNREACHABLE', { status: 503, retryAfterMs: 7_000 }],
    ['forbidden', 'UNAUTHORIZED', { status: 403 }],
  ])('a server that answers with %s fails with %s', async (kind, code, evidence) => {
    const server = await startMisbehaving(kind);
    opened.push(server);
    await expect(client.opener.open({ url: server.url, timeoutMs: 30_000 })).rejects.toMatchObject({ name: 'PeerFault', code, ...evidence });
  });

  it('a server that hangs fails at the deadline', async () => {
    const server = await startMisbehaving('hangs-always');
    opened.push(server);
    await expect(client.opener.open({ url: server.url, timeoutMs: 200 })).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('a legacy server that never answers what it does not know is opened in the other half of the time', async () => {
    const server = await startMisbehaving('ignores-discover');
    opened.push(server);
    const session = await client.opener.open({ url: server.url, timeoutMs: 4_000 });
    expect(session.facts.era).toBe('LEGACY');
    await session.close();
  });

  it('follows a redirect within the origin, and calls tools where it led', async () => {
    const { server, call } = await open('redirects');
    await call();
    expect(server.seen.at(-1)!.path).toBe('/mcp/');
  });

  it('a server that is down fails as UNREACHABLE, with nothing sent', async () => {
    const server = await startMisbehaving('html');
    await server.close();
    await expect(client.opener.open({ url: server.url, timeoutMs: 30_000 })).rejects.toMatchObject({ code: 'UNREACHABLE', sent: 'NOTHING' });
  });
});

describe('the credential', () => {
  it('is in no error, even where the server gives it back', async () => {
    const { call } = await open('reflects-credential');
    const fault = await call().catch((error: unknown) => error as Error);
    expect(fault).toBeInstanceOf(RpcFault);
    expect((fault as RpcFault).publicMessage).toContain('no access for [redacted]');
    expect(everythingIn(fault)).not.toContain(SECRET);
  });

  it.each<Misbehaviour>(['closes', 'hangs', 'garbage', 'huge', 'unauthorized-after'])('is in no error of a server that %s', async (kind) => {
    const { call } = await open(kind);
    expect(everythingIn(await call({ timeoutMs: 200, maxBytes: 10_000 }).catch((error: unknown) => error))).not.toContain(SECRET);
  });
});

/** Message, stack and own properties, down the causes. */
function everythingIn(error: unknown): string {
  const parts: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) parts.push(at.message, at.stack ?? '', JSON.stringify(at, Object.getOwnPropertyNames(at)));
  return parts.join('\n');
}

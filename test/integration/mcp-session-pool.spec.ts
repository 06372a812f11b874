import { UserFault } from '#core/errors.js';
import { SessionPool, type SessionPoolOptions } from '#core/mcp/session-pool.js';
import type { McpSession } from '#core/mcp/session.js';
import { freePort } from '#test/support/free-port.js';
import { CALL_LIMITS, testClient, type TestClient } from '#test/support/mcp-servers/client.js';
import { startEverything } from '#test/support/mcp-servers/everything.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { startMisbehaving, type Misbehaviour } from '#test/support/mcp-servers/misbehaving.js';
import { until } from '#test/support/mcp-servers/until.js';

let client: TestClient;
let server: MinimalServer;
let pool: SessionPool;

beforeEach(async () => {
  client = testClient();
  server = await startMinimal({ stateful: true });
});
afterEach(async () => {
  await pool.close();
  await client.egress.close();
  await server.close();
});

function makePool(options: Partial<SessionPoolOptions> = {}): SessionPool {
  return pool = new SessionPool({ open: (target) => client.opener.open(target), idleMs: 60_000, maxSessions: 10, openTimeoutMs: 30_000, ...options });
}

const echo = (nonce: string) => (session: McpSession, timeoutMs: number) => session.callTool({ ...CALL_LIMITS, name: 'echo', arguments: { nonce }, timeoutMs });
const use = (key: string, url = server.url) => ({ key, url, timeoutMs: 30_000 });
const opened = () => server.seen.filter((request) => (request.body as { method?: string } | null)?.method === 'initialize').length;

it('opens a key\'s session once, however many ask at the same time, and keeps it', async () => {
  makePool();
  const results = await Promise.all(Array.from({ length: 20 }, (_, i) => pool.use(use('a'), echo(`n${i}`))));
  expect(results.map((result) => result.content)).toEqual(Array.from({ length: 20 }, (_, i) => [{ type: 'text', text: `{"nonce":"n${i}"}` }]));
  await pool.use(use('a'), echo('later'));
  expect([opened(), pool.size]).toEqual([1, 1]);
});

it('gives every key a session of its own', async () => {
  makePool();
  await Promise.all(['a', 'b', 'c'].map((key) => pool.use(use(key), echo(key))));
  expect([opened(), pool.size, server.sessions.size]).toEqual([3, 3, 3]);
});

it('opens again, once for all, where the server forgot the session, and repeats the calls', async () => {
  makePool();
  await pool.use(use('a'), echo('before'));
  server.forget();
  const results = await Promise.all(Array.from({ length: 8 }, (_, i) => pool.use(use('a'), echo(`n${i}`))));
  expect(results.every((result) => !result.isError)).toBe(true);
  expect(opened()).toBe(2);
  expect(server.counts.calls).toBe(9);
});

it.each<Misbehaviour>(['forgets-sessions', 'forgets-sessions-with-400'])('serves every call of a server that %s after each', async (kind) => {
  const forgetful = await startMisbehaving(kind);
  makePool();
  for (let i = 0; i < 3; i++) expect((await pool.use(use('a', forgetful.url), echo('n'))).content).toEqual([{ type: 'text', text: 'fine' }]);
  await forgetful.close();
});

it('survives a restart of server-everything', async () => {
  const first = await startEverything(await freePort());
  makePool();
  const call = () => pool.use(use('a', first.url), (session, timeoutMs) => session.callTool({ ...CALL_LIMITS, name: 'echo', arguments: { message: 'hi' }, timeoutMs }));
  await call();
  await first.close();
  const second = await startEverything(first.port);
  expect((await call()).content).toEqual([{ type: 'text', text: 'Echo: hi' }]);
  await second.close();
});

it('does not repeat anything but a forgotten session', async () => {
  makePool();
  let runs = 0;
  await expect(pool.use(use('a'), async () => {
    runs++;
    throw new Error('work failed');
  })).rejects.toThrow('work failed');
  expect(runs).toBe(1);
});

it('a failed opening fails those who waited for it, with nothing sent, and is tried again by the next', async () => {
  let fail = true;
  const dead = await startMisbehaving('garbage-always');
  makePool({ open: (target) => client.opener.open({ ...target, url: fail ? dead.url : server.url }) });
  const waiting = await Promise.allSettled([pool.use(use('a'), echo('1')), pool.use(use('a'), echo('2'))]);
  expect(waiting).toEqual(Array(2).fill({ status: 'rejected', reason: expect.objectContaining({ code: 'PROTOCOL_ERROR', sent: 'NOTHING' }) }));
  expect(pool.size).toBe(0);
  fail = false;
  await pool.use(use('a'), echo('3'));
  await dead.close();
});

it('one caller\'s deadline or cancellation does not end the opening that others wait for', async () => {
  const gate = Promise.withResolvers<void>();
  makePool({ open: async (target) => { await gate.promise; return client.opener.open(target); } });
  const cancel = new AbortController();
  const patient = pool.use(use('a'), echo('patient'));
  const hasty = pool.use({ ...use('a'), timeoutMs: 20 }, echo('hasty'));
  const cancelled = pool.use({ ...use('a'), signal: cancel.signal }, echo('cancelled'));
  cancel.abort();
  await expect(cancelled).rejects.toMatchObject({ name: 'CallCancelled', sent: 'NOTHING' });
  await expect(hasty).rejects.toMatchObject({ code: 'TIMEOUT', sent: 'NOTHING' });
  gate.resolve();
  await expect(patient).resolves.toMatchObject({ isError: false });
  expect(server.counts.calls).toBe(1);
});

it('ends sessions that nobody uses', async () => {
  makePool({ idleMs: 30 });
  await pool.use(use('a'), echo('n'));
  await until(() => server.sessions.size === 0);
  expect(pool.size).toBe(0);
});

it('makes room by ending the session that was idle for longest, and refuses when all are in use', async () => {
  makePool({ maxSessions: 2 });
  for (const key of ['a', 'b', 'a', 'c']) await pool.use(use(key), echo(key));
  expect(pool.size).toBe(2);
  await until(() => server.sessions.size === 2);
  const before = opened();
  await pool.use(use('a'), echo('a'));
  expect(opened()).toBe(before);

  const gate = Promise.withResolvers<void>();
  const busy = ['a', 'c'].map((key) => pool.use(use(key), () => gate.promise));
  await expect(pool.use(use('d'), echo('d'))).rejects.toBeInstanceOf(UserFault);
  gate.resolve();
  await Promise.all(busy);
});

it('drops keys by name and by prefix, ending a session when its work is done', async () => {
  makePool();
  for (const key of ['e1:v1', 'e1:v2', 'e2:v1']) await pool.use(use(key), echo(key));
  const gate = Promise.withResolvers<void>();
  const working = pool.use(use('e1:v1'), async (session, timeoutMs) => {
    await gate.promise;
    return echo('still')(session, timeoutMs);
  });
  pool.dropPrefix('e1:');
  expect(pool.size).toBe(1);
  await until(() => server.sessions.size === 2);
  gate.resolve();
  await expect(working).resolves.toMatchObject({ isError: false });
  await until(() => server.sessions.size === 1);
  pool.drop('e2:v1');
  await until(() => server.sessions.size === 0);
});

it('close ends every session at its server, leaves no connection, and takes no more work', async () => {
  makePool();
  await Promise.all(['a', 'b', 'c'].map((key) => pool.use(use(key), echo(key))));
  await pool.close();
  expect(server.sessions.size).toBe(0);
  await expect(pool.use(use('d'), echo('d'))).rejects.toMatchObject({ code: 'OVERLOADED' });
  await client.egress.close();
  await until(() => server.connections() === 0);
});

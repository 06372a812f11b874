import { createServer } from 'node:net';
import { probeServer, type ProbeReport, type ProbeVerdict } from '#core/mcp/probe.js';
import { testClient, type TestClient } from '#test/support/mcp-servers/client.js';
import { startEverything } from '#test/support/mcp-servers/everything.js';
import { startMinimal } from '#test/support/mcp-servers/minimal.js';
import { startMisbehaving, type Misbehaviour } from '#test/support/mcp-servers/misbehaving.js';
import { startDual, startModern } from '#test/support/mcp-servers/sdk-server.js';

let client: TestClient;
beforeEach(() => { client = testClient(); });
afterEach(() => client.egress.close());

function probe(url: string, headers?: Record<string, string>, timeoutMs = 10_000): Promise<ProbeReport> {
  return probeServer({ url, headers, opener: client.opener, egress: client.egress, timeoutMs, clock: () => performance.now() });
}
const outcomes = (report: ProbeReport) => report.steps.map((step) => `${step.name} ${step.outcome}`);

it.each([
  ['legacy', startEverything, { era: 'LEGACY', protocolVersion: '2025-11-25', toolCount: 13 }],
  ['modern', startModern, { era: 'MODERN', protocolVersion: '2026-07-28', toolCount: 12, server: { name: 'modern', version: '2.0.0' } }],
  ['dual', startDual, { era: 'MODERN', protocolVersion: '2026-07-28', toolCount: 12 }],
  ['minimal', startMinimal, { era: 'LEGACY', toolCount: 1, server: { name: 'minimal', version: '1.0.0' } }],
] as const)('a %s server is OK', async (_name, start, expected) => {
  const server = await start();
  const report = await probe(server.url);
  expect(report).toMatchObject({ verdict: 'OK', challenge: null, ...expected });
  expect(report.tools).toHaveLength(expected.toolCount);
  expect(outcomes(report)).toEqual(['address OK', 'TLS SKIPPED', 'MCP OK', 'tools OK']);
  await server.close();
});

it('ends the session that it opened', async () => {
  const server = await startMinimal({ stateful: true });
  await probe(server.url);
  expect(server.sessions.size).toBe(0);
  expect(server.seen.at(-1)!.method).toBe('DELETE');
  expect(server.seen.some((request) => request.method === 'GET')).toBe(false);
  await server.close();
});

it('a server that wants a credential is AUTHENTICATION_REQUIRED with its challenge, and OK with the credential', async () => {
  const server = await startMinimal({ credential: { header: 'Authorization', value: 'Bearer token-123456' } });
  expect(await probe(server.url)).toMatchObject({ verdict: 'AUTHENTICATION_REQUIRED', challenge: 'Bearer realm="minimal"', message: 'The server is there and wants a credential.' });
  const wrong = await probe(server.url, { Authorization: 'Bearer wrong-654321' });
  expect(wrong).toMatchObject({ verdict: 'AUTHENTICATION_REQUIRED' });
  expect(JSON.stringify(wrong)).not.toContain('wrong-654321');
  expect(await probe(server.url, { Authorization: 'Bearer token-123456' })).toMatchObject({ verdict: 'OK' });
  await server.close();
});

it.each<[Misbehaviour, ProbeVerdict, string]>([
  ['forbidden', 'AUTHENTICATION_REQUIRED', 'wants a credential'],
  ['html', 'NOT_MCP', 'web page'],
  ['plain-json', 'NOT_MCP', 'JSON, but not'],
  ['garbage-always', 'NOT_MCP', 'JSON, but not'],
  ['not-found', 'NOT_MCP', '404'],
  ['sse-only', 'UNSUPPORTED_TRANSPORT', 'HTTP+SSE'],
  ['server-error', 'UNREACHABLE', '503'],
])('a server that answers with %s is %s', async (kind, verdict, message) => {
  const server = await startMisbehaving(kind);
  const report = await probe(server.url);
  expect(report).toMatchObject({ verdict, message: expect.stringContaining(message), toolCount: null, tools: null });
  expect(outcomes(report)).toEqual(['address OK', 'TLS SKIPPED', verdict === 'AUTHENTICATION_REQUIRED' ? 'MCP OK' : 'MCP FAILED', 'tools SKIPPED']);
  await server.close();
});

it('a server that hangs is UNREACHABLE', async () => {
  const server = await startMisbehaving('hangs-always');
  expect(await probe(server.url, undefined, 300)).toMatchObject({ verdict: 'UNREACHABLE', message: 'The server did not answer in time.' });
  await server.close();
});

it('a server that is down is UNREACHABLE at its address', async () => {
  const server = await startMinimal();
  await server.close();
  const report = await probe(server.url);
  expect(report.verdict).toBe('UNREACHABLE');
  expect(outcomes(report)).toEqual(['address FAILED', 'TLS SKIPPED', 'MCP SKIPPED', 'tools SKIPPED']);
});

it('a server without TLS behind an https address fails at TLS', async () => {
  const plain = createServer((socket) => void socket.on('error', () => undefined).once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n', () => socket.destroy())));
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  const report = await probe(`https://127.0.0.1:${(plain.address() as { port: number }).port}/mcp`);
  expect(report.verdict).toBe('UNREACHABLE');
  expect(outcomes(report)).toEqual(['address OK', 'TLS FAILED', 'MCP SKIPPED', 'tools SKIPPED']);
  await new Promise((resolve) => plain.close(resolve));
});

it.each(['stdio:npx -y @acme/server', 'npx -y @acme/server', 'npx', './server.js', 'python3 server.py', 'ws://127.0.0.1/mcp'])('%s is refused as a transport', async (url) => {
  expect(await probe(url)).toMatchObject({ verdict: 'UNSUPPORTED_TRANSPORT' });
});

it('a refused address gives the same report whatever lies behind it', async () => {
  const reports = await Promise.all(['http://10.0.0.1/mcp', 'http://169.254.169.254/latest', 'https://[fd00::1]/', 'https://192.168.1.1:8443/mcp', 'ftp://example.com/'].map((url) => probe(url)));
  for (const report of reports) expect(report).toEqual(reports[0]);
  expect(reports[0]).toMatchObject({ verdict: 'REFUSED_BY_POLICY', steps: expect.arrayContaining([expect.objectContaining({ name: 'address', outcome: 'FAILED', durationMs: null })]) });
});

it('a server whose listing fails is OK, and says why there are no tools', async () => {
  const server = await startMisbehaving('cursor-loop');
  const report = await probe(server.url);
  expect(report).toMatchObject({ verdict: 'OK', toolCount: null, tools: null, message: expect.stringContaining('repeats a page') });
  await server.close();
});

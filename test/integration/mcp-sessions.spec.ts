import { callTraits } from '#core/mcp/param-headers.js';
import { CallCancelled, type Era, type McpSession, type Progress } from '#core/mcp/session.js';
import { CALL_LIMITS, LIST_LIMITS, testClient, type TestClient } from '#test/support/mcp-servers/client.js';
import { startEverything } from '#test/support/mcp-servers/everything.js';
import { startMinimal } from '#test/support/mcp-servers/minimal.js';
import { sdkCaller } from '#test/support/mcp-servers/sdk-caller.js';
import { startDual, startModern } from '#test/support/mcp-servers/sdk-server.js';
import { HOLOGRAM, PIXEL } from '#test/support/mcp-servers/test-tools.js';
import { until } from '#test/support/mcp-servers/until.js';
import type { SeenRequest } from '#test/support/mcp-servers/listener.js';

const PATHS = { 'the hot path': undefined, 'the SDKs\' own callTool': sdkCaller } as const;
const ERAS: { name: string; start: typeof startDual; era: Era }[] = [
  { name: 'a modern server', start: startModern, era: 'MODERN' },
  { name: 'a dual server, found to be modern', start: startDual, era: 'MODERN' },
  { name: 'a dual server, spoken to as legacy', start: startDual, era: 'LEGACY' },
];

describe.each(Object.keys(PATHS) as (keyof typeof PATHS)[])('over %s', (path) => {
  const hot = PATHS[path] === undefined;

  describe.each(ERAS)('$name', ({ name, start, era }) => {
    let server: Awaited<ReturnType<typeof startDual>>;
    let client: TestClient;
    let session: McpSession;

    beforeAll(async () => {
      server = await start();
      client = testClient(PATHS[path]);
      session = await client.opener.open({ url: server.url, timeoutMs: 10_000, ...(name.endsWith('legacy') ? { era } : {}) });
    });
    afterAll(async () => {
      await session.close();
      await client.egress.close();
      await server.close();
    });
    const call = (tool: string, args: Record<string, unknown> = {}) => session.callTool({ name: tool, arguments: args, ...CALL_LIMITS });

    it('says its era, revision and name', () => {
      expect(session.facts).toEqual({
        era, protocolVersion: era === 'MODERN' ? '2026-07-28' : '2025-11-25', server: { name: start === startModern ? 'modern' : 'dual', version: '2.0.0' },
      });
    });

    it('lists its tools, in the modern era without those whose header annotation is invalid', async () => {
      const { tools, dropped } = await session.listTools(LIST_LIMITS);
      expect(tools.map((tool) => tool.name).includes('bad-header')).toBe(era === 'LEGACY');
      expect(dropped.map((tool) => tool.name)).toEqual(era === 'LEGACY' ? [] : ['bad-header']);
      expect(tools.find((tool) => tool.name === 'structured')?.['outputSchema']).toEqual({ type: 'object', properties: { answer: { type: 'integer' } }, required: ['answer'] });
    });

    it('answers with text', async () => {
      expect(await call('echo', { message: 'Grüße, 世界 🚢' })).toEqual({ content: [{ type: 'text', text: 'Grüße, 世界 🚢' }], isError: false });
      expect(await call('sum', { a: 19, b: 23 })).toEqual({ content: [{ type: 'text', text: '42' }], isError: false });
    });

    it('answers with structured content', async () => {
      expect(await call('structured')).toEqual({ content: [{ type: 'text', text: '{"answer":42}' }], structuredContent: { answer: 42 }, isError: false });
    });

    it('answers with images, audio, links and embedded resources', async () => {
      expect((await call('image')).content).toEqual([{ type: 'image', data: PIXEL, mimeType: 'image/png' }]);
      expect((await call('audio')).content).toEqual([{ type: 'audio', data: 'UklGRg==', mimeType: 'audio/wav' }]);
      expect((await call('link')).content).toEqual([{ type: 'resource_link', uri: 'test://stock', name: 'stock', mimeType: 'text/csv' }]);
      expect((await call('embedded')).content).toEqual([
        { type: 'resource', resource: { uri: 'test://note', mimeType: 'text/plain', text: 'note' } },
        { type: 'resource', resource: { uri: 'test://blob', mimeType: 'application/octet-stream', blob: 'AAEC' } },
      ]);
    });

    it('hands a tool\'s own failure on as a result', async () => {
      expect(await call('failing')).toEqual({ content: [{ type: 'text', text: 'the shelf is empty' }], isError: true });
    });

    it('reports the progress of a slow tool', async () => {
      const reports: Progress[] = [];
      const result = await session.callTool({ name: 'slow', arguments: { ms: 50 }, ...CALL_LIMITS, onProgress: (progress) => reports.push(progress) });
      expect(result.content).toEqual([{ type: 'text', text: 'done' }]);
      expect(reports.at(-1)).toEqual({ progress: 5, total: 5, message: '5 of 5' });
    });

    it('repeats annotated parameters as headers in the modern era', async () => {
      const { tools } = await session.listTools(LIST_LIMITS);
      const traits = callTraits(tools.find((tool) => tool.name === 'regional')!);
      const args = { region: 'Köln', where: { zone: 7 } };
      expect((await session.callTool({ name: 'regional', arguments: args, traits, ...CALL_LIMITS })).content).toEqual([{ type: 'text', text: JSON.stringify(args) }]);
      const { headers } = lastCall(server.seen);
      if (era === 'LEGACY') {
        expect(Object.keys(headers).filter((header) => header.startsWith('mcp-'))).toEqual(['mcp-protocol-version']);
      } else {
        expect(headers).toMatchObject({
          'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'regional', 'mcp-param-region': '=?base64?S8O2bG4=?=', 'mcp-param-zone': '7',
        });
      }
    });

    it('ends a call that takes too long, leaving the outcome open', async () => {
      await expect(session.callTool({ name: 'slow', arguments: { ms: 5_000 }, timeoutMs: 1000, maxBytes: 1_000 })).rejects.toMatchObject({ code: 'TIMEOUT', sent: 'MAYBE' });
    });

    it('ends a call that is cancelled', async () => {
      const cancel = new AbortController();
      const before = server.seen.length;
      const running = session.callTool({ name: 'slow', arguments: { ms: 5_000 }, ...CALL_LIMITS, signal: cancel.signal });
      await until(() => server.seen.length > before);
      cancel.abort();
      await expect(running).rejects.toBeInstanceOf(CallCancelled);
    });

    it('answers a ping', async () => {
      await expect(session.ping(5_000)).resolves.toBeUndefined();
    });

    if (hot) {
      it('hands on blocks of types that nobody knows yet', async () => {
        expect((await call('unknown-block')).content).toEqual([HOLOGRAM]);
      });

      it('hands on integers beyond 2^53 with all their digits', async () => {
        expect(JSON.stringify((await call('big-integers')).structuredContent)).toBe('{"id":9007199254740993,"list":[1,9007199254740993]}');
      });

      it('refuses an unknown tool with the server\'s words', async () => {
        await expect(call('nope')).rejects.toMatchObject({ code: 'PROTOCOL_ERROR', rpcCode: -32602, publicMessage: expect.stringContaining('Unknown tool: nope') });
      });
    }
  });

  describe('server-everything', () => {
    let server: Awaited<ReturnType<typeof startEverything>>;
    let client: TestClient;
    let session: McpSession;

    beforeAll(async () => {
      server = await startEverything();
      client = testClient(PATHS[path]);
      session = await client.opener.open({ url: server.url, timeoutMs: 10_000 });
    });
    afterAll(async () => {
      await session.close();
      await client.egress.close();
      await server.close();
    });
    const call = (tool: string, args: Record<string, unknown> = {}) => session.callTool({ name: tool, arguments: args, ...CALL_LIMITS });

    it('is found to be of the legacy era', () => {
      expect(session.facts).toMatchObject({ era: 'LEGACY', protocolVersion: '2025-11-25', server: { name: 'mcp-servers/everything' } });
    });

    it('lists thirteen tools, one of which only runs as a task', async () => {
      const { tools, dropped } = await session.listTools(LIST_LIMITS);
      expect([tools.length, dropped.length]).toEqual([13, 0]);
      expect(tools.filter((tool) => callTraits(tool).taskRequired).map((tool) => tool.name)).toEqual(['simulate-research-query']);
    });

    it('calls its tools', async () => {
      expect((await call('echo', { message: 'hello' })).content).toEqual([{ type: 'text', text: 'Echo: hello' }]);
      expect((await call('get-sum', { a: 2, b: 40 })).content).toEqual([{ type: 'text', text: 'The sum of 2 and 40 is 42.' }]);
      expect((await call('get-structured-content', { location: 'Chicago' })).structuredContent).toMatchObject({ temperature: 36 });
      expect((await call('get-tiny-image')).content).toContainEqual(expect.objectContaining({ type: 'image', mimeType: 'image/png' }));
      expect((await call('get-resource-links', { count: 2 })).content).toContainEqual(expect.objectContaining({ type: 'resource_link' }));
    });

    it('shows nothing of our environment', async () => {
      expect(JSON.stringify((await call('get-env')).content)).not.toContain('PATH');
    });

    it('refuses to call a tool that only runs as a task, before anything is sent', async () => {
      await expect(session.callTool({ name: 'simulate-research-query', arguments: { topic: 'x' }, traits: { taskRequired: true, headerParams: [] }, ...CALL_LIMITS }))
        .rejects.toMatchObject({ code: 'TASK_REQUIRED', sent: 'NOTHING' });
    });

    it('reports progress', async () => {
      const reports: Progress[] = [];
      await session.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 0.2, steps: 2 }, ...CALL_LIMITS, onProgress: (progress) => reports.push(progress) });
      expect(reports).toContainEqual({ progress: 1, total: 2, message: null });
    });
  });

  it('a minimal server gets the credential with every request, and nothing but POST and DELETE', async () => {
    const server = await startMinimal({ credential: { header: 'X-Api-Key', value: 'k-0123456789' }, stateful: true });
    const client = testClient(PATHS[path]);
    const session = await client.opener.open({ url: server.url, headers: { 'X-Api-Key': 'k-0123456789' }, timeoutMs: 10_000 });
    expect((await session.listTools(LIST_LIMITS)).tools).toHaveLength(1);
    expect((await session.callTool({ name: 'echo', arguments: { nonce: 'n1' }, ...CALL_LIMITS })).content).toEqual([{ type: 'text', text: '{"nonce":"n1"}' }]);
    expect(server.sessions.size).toBe(1);
    await session.close();
    expect(server.sessions.size).toBe(0);
    expect(server.counts).toMatchObject({ calls: 1, withCredential: 1 });
    expect(new Set(server.seen.map((request) => request.method))).toEqual(new Set(['POST', 'DELETE']));
    expect(server.seen.every((request) => request.headers['x-api-key'] === 'k-0123456789')).toBe(true);
    await client.egress.close();
    await until(() => server.connections() === 0);
    await server.close();
  });
});

it('the era is remembered per endpoint, and found out again when that fails', async () => {
  const server = await startMinimal();
  const client = testClient();
  const methods = () => server.seen.map((request) => (request.body as { method: string } | null)?.method);
  await client.opener.open({ url: server.url, timeoutMs: 10_000 });
  expect(methods()).toEqual(['server/discover', 'initialize', 'notifications/initialized']);
  await client.opener.open({ url: server.url, timeoutMs: 10_000 });
  expect(methods().slice(3)).toEqual(['initialize', 'notifications/initialized']);
  await client.egress.close();
  await server.close();
});

function lastCall(seen: SeenRequest[]): SeenRequest {
  return seen.findLast((request) => (request.body as { method?: string } | null)?.method === 'tools/call')!;
}

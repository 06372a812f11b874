import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, Server } from '@modelcontextprotocol/server';
import { listen, record, type SeenRequest, type TestListener } from './listener.js';
import { callTestTool, TEST_TOOLS, wireForm } from './test-tools.js';

/** Only 2026-07-28: a client of the older era is refused. */
export function startModern(): Promise<TestListener> {
  return start('reject');
}

/** 2026-07-28, and older clients without sessions. */
export function startDual(): Promise<TestListener> {
  return start('stateless');
}

async function start(legacy: 'reject' | 'stateless'): Promise<TestListener> {
  const seen: SeenRequest[] = [];
  const handler = createMcpHandler(() => {
    const server = new Server({ name: legacy === 'reject' ? 'modern' : 'dual', version: '2.0.0' }, { capabilities: { tools: {} } });
    server.setRequestHandler('tools/list', () => ({ tools: TEST_TOOLS as never }));
    server.setRequestHandler('tools/call', ({ params }, context) => callTestTool(params.name, params.arguments ?? {}, {
      signal: context.mcpReq.signal,
      progress: async (progress, total) => {
        const token = params._meta?.progressToken;
        if (token !== undefined) await context.mcpReq.notify({ method: 'notifications/progress', params: { progressToken: token, progress, total, message: `${progress} of ${total}` } });
      },
    }) as never);
    return server;
  }, { legacy });
  const node = toNodeHandler({ fetch: async (request: Request, options?: object) => wireForm(await handler.fetch(request, options)) });
  const listener = await listen((request, response) => void record(request, seen).then(({ body }) => node(request, response, body ?? undefined)), '/mcp', seen);
  return { ...listener, close: async () => { await Promise.all([handler.close(), listener.close()]); } };
}

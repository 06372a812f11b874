import { listen, sendJson, type TestListener } from '../mcp-servers/listener.js';

/** A `tools/call` that reached the server. */
export interface ArrivedCall {
  tool: string;
  arguments: Record<string, unknown>;
  authorization: string | undefined;
  /** Answers it. Without arguments: one text block, `done`. */
  answer(result?: object): void;
  /** Answers it with an HTTP status and no more. */
  refuse(status: number): void;
  /** Whether the client has hung up. */
  gone(): boolean;
}

/** A server of the legacy era that answers a call when the test says so. */
export interface GatedServer extends TestListener {
  calls: ArrivedCall[];
  /** Resolves with the call of that number, from 1, when it has arrived. */
  arrived(count: number): Promise<ArrivedCall>;
}

/** Starts one. With `answer`, calls are answered by it as they arrive; undefined leaves the call waiting. With `tools`, it lists them. */
export async function startGated(answer?: (call: ArrivedCall) => object | undefined, tools?: readonly object[]): Promise<GatedServer> {
  const calls: ArrivedCall[] = [];
  const waiting: { count: number; resolve: (call: ArrivedCall) => void }[] = [];
  const listener = await listen((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; }).on('end', () => {
      const message = text === '' ? {} : JSON.parse(text) as { id?: number; method?: string; params?: { name: string; arguments: Record<string, unknown> } };
      if (request.method !== 'POST') return void response.writeHead(405).end();
      if (message.id === undefined) return void response.writeHead(202).end();
      const reply = (result: object): void => sendJson(response, 200, { jsonrpc: '2.0', id: message.id, result });
      if (message.method === 'initialize') return reply({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'gated', version: '1.0.0' } });
      if (message.method === 'tools/list' && tools !== undefined) return reply({ tools });
      if (message.method !== 'tools/call') return sendJson(response, 200, { jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'Method not found' } });
      const call: ArrivedCall = {
        tool: message.params!.name, arguments: message.params!.arguments, authorization: request.headers.authorization,
        answer: (result = { content: [{ type: 'text', text: 'done' }] }) => reply(result), refuse: (status) => sendJson(response, status, {}), gone: () => response.destroyed,
      };
      calls.push(call);
      const result = answer?.(call);
      if (result !== undefined) call.answer(result);
      for (const one of waiting.splice(0)) {
        if (calls.length >= one.count) one.resolve(calls[one.count - 1]!);
        else waiting.push(one);
      }
    });
  });
  const arrived = (count: number): Promise<ArrivedCall> => new Promise((resolve) => {
    if (calls.length >= count) resolve(calls[count - 1]!);
    else waiting.push({ count, resolve });
  });
  return { ...listener, calls, arrived };
}

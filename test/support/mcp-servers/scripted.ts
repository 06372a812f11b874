import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen, record, sendJson, type SeenRequest, type TestListener } from './listener.js';

/** A request in JSON-RPC, unchecked. */
export interface Message {
  id?: number | string;
  method?: string;
  params?: Record<string, unknown>;
}

/** What a behaviour may answer with. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  message: Message;
  /** Answers properly, with this result. */
  result(result: unknown): void;
  /** Answers with this text in the place of the result. */
  resultText(json: string): void;
  /** Answers with a JSON-RPC error. */
  error(code: number, text: unknown, data?: unknown): void;
}

/** What one tool's call does, or one method. */
export type Behaviour = (exchange: Exchange) => void;

/** How a {@link startScripted} server behaves; all of it may be replaced while it runs. */
export interface Script {
  /** Behaviour by the name of the called tool. */
  tools?: Record<string, Behaviour>;
  /** What `tools/list` says; by default the names of {@link tools}, each taking any object. */
  list?: readonly unknown[];
  /** Behaviour by method, before anything else; `*` for every request. */
  methods?: Record<string, Behaviour>;
  serverInfo?: unknown;
}

/** A server that does as it is told. */
export interface ScriptedServer extends TestListener {
  script: Script;
}

/** Starts a server of the legacy era that answers by a script. */
export async function startScripted(script: Script): Promise<ScriptedServer> {
  const seen: SeenRequest[] = [];
  const listener = await listen((request, response) => void record(request, seen).then(({ body }) => answer(server.script, request, response, (body ?? {}) as Message)), '/mcp', seen);
  const server = { ...listener, script };
  return server;
}

function answer(script: Script, request: IncomingMessage, response: ServerResponse, message: Message): void {
  const { id, method } = message;
  const envelope = (rest: string): void => sendJson(response, 200, `{"jsonrpc":"2.0","id":${JSON.stringify(id)},${rest}}`);
  const exchange: Exchange = {
    request, response, message,
    result: (result) => envelope(`"result":${JSON.stringify(result)}`), resultText: (json) => envelope(`"result":${json}`),
    error: (code, text, data) => envelope(`"error":${JSON.stringify({ code, message: text, data })}`),
  };
  const scripted = script.methods?.['*'] ?? (method === undefined ? undefined : script.methods?.[method]);
  if (scripted !== undefined) return scripted(exchange);
  if (request.method !== 'POST') return void response.writeHead(405).end();
  if (id === undefined || method === undefined) return void response.writeHead(202).end();
  switch (method) {
    case 'initialize':
      return exchange.result({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: script.serverInfo ?? { name: 'scripted', version: '1.0.0' } });
    case 'tools/list':
      return exchange.result({ tools: script.list ?? Object.keys(script.tools ?? {}).map((name) => ({ name, inputSchema: { type: 'object' } })) });
    case 'tools/call':
      return (script.tools?.[String(message.params?.['name'])] ?? ((one) => one.error(-32602, 'Unknown tool')))(exchange);
    default:
      return exchange.error(-32601, 'Method not found');
  }
}

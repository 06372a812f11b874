import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { listen, sendJson, type SeenRequest, type TestListener } from './listener.js';

/** How {@link startMinimal} behaves. */
export interface MinimalOptions {
  /** Requests without this header, or with another value than this one or those that are taken, are answered with 401. */
  credential?: { header: string; value: string | ((value: string) => boolean) };
  /** `initialize` gives out a session id, and unknown ones are answered with 404. */
  stateful?: boolean;
  /** Keep what was seen; off for benchmarks that only count. */
  keepLog?: boolean;
  /** What a tool answers, as text; its arguments by default. */
  text?: (args: Record<string, unknown>) => string;
  /** Hears of each call of a tool before it is answered. */
  onCall?: (args: Record<string, unknown>, headers: IncomingHttpHeaders) => void;
  /** A free one by default. */
  port?: number;
}

/** A running minimal server. */
export interface MinimalServer extends TestListener {
  /** Calls of tools that were answered, and how many of them carried the credential; and requests of any kind. */
  counts: { calls: number; withCredential: number; requests: number };
  sessions: Set<string>;
  /** What it lists; a test may change it. */
  tools: { name: string; description?: string; inputSchema: object }[];
  /** Forgets all sessions, as a restart would. */
  forget(): void;
}

const TOOLS = [
  { name: 'echo', description: 'Gives the arguments back.', inputSchema: { type: 'object', properties: { nonce: { type: 'string' } } } },
];

/**
 * The smallest server of the legacy era: hand-written, answers JSON only, one tool (`echo`). Lean, since the benchmark measures against it.
 */
export async function startMinimal({ credential, stateful = false, keepLog = true, text: textOf = JSON.stringify, onCall, port }: MinimalOptions = {}): Promise<MinimalServer> {
  const seen: SeenRequest[] = [];
  const counts = { calls: 0, withCredential: 0, requests: 0 };
  const sessions = new Set<string>();
  const tools = structuredClone(TOOLS);
  const wanted = credential?.header.toLowerCase();
  const takes = (value: string): boolean => typeof credential?.value === 'function' ? credential.value(value) : value === credential?.value;

  const answer = (request: IncomingMessage, response: ServerResponse, text: string): void => {
    counts.requests++;
    const message = text === '' ? null : JSON.parse(text) as { id?: number; method: string; params?: Record<string, unknown> };
    if (keepLog) seen.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: message });
    const authorized = wanted === undefined || takes(String(request.headers[wanted] ?? ''));
    if (!authorized) return sendJson(response, 401, { error: 'credential wanted' }, { 'WWW-Authenticate': 'Bearer realm="minimal"' });
    const session = request.headers['mcp-session-id'];
    if (message?.method !== 'initialize' && stateful && !(typeof session === 'string' && sessions.has(session))) {
      return sendJson(response, session === undefined ? 400 : 404, { jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } });
    }
    if (request.method === 'DELETE') {
      sessions.delete(String(session));
      return void response.writeHead(stateful ? 204 : 405).end();
    }
    if (request.method !== 'POST' || message === null) return void response.writeHead(405).end();
    if (message.id === undefined) return void response.writeHead(202).end();
    const reply = (result: unknown, headers?: Record<string, string>): void => sendJson(response, 200, { jsonrpc: '2.0', id: message.id, result }, headers);
    switch (message.method) {
      case 'initialize': {
        const id = randomUUID();
        if (stateful) sessions.add(id);
        return reply({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'minimal', version: '1.0.0' } }, stateful ? { 'Mcp-Session-Id': id } : {});
      }
      case 'ping': return reply({});
      case 'tools/list': return reply({ tools });
      case 'tools/call': {
        const args = (message.params?.['arguments'] ?? {}) as Record<string, unknown>;
        counts.calls++;
        if (wanted !== undefined) counts.withCredential++;
        onCall?.(args, request.headers);
        return reply({ content: [{ type: 'text', text: textOf(args) }] });
      }
      default: return sendJson(response, 200, { jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'Method not found' } });
    }
  };

  const listener = await listen((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; }).on('end', () => answer(request, response, text));
  }, '/mcp', seen, port);
  return { ...listener, counts, sessions, tools, forget: () => sessions.clear() };
}

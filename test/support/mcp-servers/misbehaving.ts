import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen, record, sendJson, type SeenRequest, type TestListener } from './listener.js';

/** What a {@link startMisbehaving} server does wrong. Unless said otherwise, it speaks the legacy era and misbehaves on `tools/call` only. */
export const MISBEHAVIOURS = [
  'closes', 'resets', 'hangs', 'hangs-always', 'streams-for-ever', 'cuts-stream', 'resumes-stream', 'server-requests', 'garbage', 'garbage-always', 'huge',
  'wrong-id', 'no-content', 'input-required', 'task', 'forgets-sessions', 'forgets-sessions-with-400', 'unauthorized-after', 'forbidden', 'insufficient-scope',
  'rate-limited', 'server-error', 'many-pages', 'endless-pages', 'cursor-loop', 'changing-tools', 'bad-tools', 'catastrophic-schema', 'reflects-credential',
  'sse-only', 'html', 'not-found', 'plain-json', 'redirects', 'ignores-discover',
] as const;
export type Misbehaviour = (typeof MISBEHAVIOURS)[number];

/** A server that does one thing wrong. */
export interface MisbehavingServer extends TestListener {
  /** What `changing-tools` lists from now on. */
  setTools(tools: unknown[]): void;
  /** Answers of the client to requests of the server. */
  answers: unknown[];
  /** `unauthorized-after`: how many more calls are let through. */
  allowCalls(count: number): void;
}

/** The schema of `catastrophic-schema`: 28 characters keep a backtracking engine busy for seconds. */
export const CATASTROPHIC_SCHEMA = { type: 'object', properties: { text: { type: 'string', pattern: '^(a+)+$' } } };

interface Message {
  id?: number | string;
  method?: string;
  params?: { cursor?: string; name?: string; arguments?: Record<string, unknown>; _meta?: { progressToken?: unknown } };
}

/** Starts one; the branches of {@link Misbehaving} say what each kind does. */
export async function startMisbehaving(kind: Misbehaviour): Promise<MisbehavingServer> {
  const seen: SeenRequest[] = [];
  const server = new Misbehaving(kind);
  const listener = await listen((request, response) => void record(request, seen).then(({ body }) => server.answer(request, response, body as Message | null)), kind === 'sse-only' ? '/sse' : '/mcp', seen);
  return { ...listener, answers: server.answers, setTools: (tools) => { server.tools = tools; }, allowCalls: (count) => { server.allowed = count; } };
}

class Misbehaving {
  tools: unknown[] = [{ name: 'echo', description: 'Gives back.', inputSchema: { type: 'object' } }];
  allowed = 0;
  readonly answers: unknown[] = [];
  readonly #sessions = new Set<string>();
  #replay: string | null = null;

  constructor(private readonly kind: Misbehaviour) {}

  answer(request: IncomingMessage, response: ServerResponse, message: Message | null): void {
    if (this.#always(request, response, message)) return;
    if (request.method === 'GET') return this.#get(request, response);
    if (request.method === 'DELETE') return void response.writeHead(204).end();
    if (message === null || typeof message !== 'object') return sendJson(response, 400, { error: 'no message' });
    if (message.method === undefined) {
      this.answers.push(message);
      return void response.writeHead(202).end();
    }
    if (message.id === undefined) return void response.writeHead(202).end();
    if (message.method === 'initialize') return this.#initialize(response, message);
    if (this.#forgot(request, response, message)) return;
    if (message.method === 'tools/list') return this.#list(request, response, message);
    if (message.method === 'tools/call') return this.#call(request, response, message);
    if (message.method === 'ping') return this.#result(response, message, {});
    if (message.method === 'server/discover' && this.kind === 'ignores-discover') return;
    sendJson(response, 200, { jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'Method not found' } });
  }

  /** Kinds that aren't even MCP. */
  #always(request: IncomingMessage, response: ServerResponse, message: Message | null): boolean {
    switch (this.kind) {
      case 'html': return answered(response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end('<!doctype html><title>Shop</title>'));
      case 'not-found': return answered(response.writeHead(404, { 'Content-Type': 'text/plain' }).end('no such page'));
      case 'plain-json': return answered(sendJson(response, 200, { hello: 'world' }));
      case 'garbage-always': return answered(response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"jsonrpc":"2.0"}\nStarting server on stdio…\n{"x":1}\n'));
      case 'hangs-always': return true;
      case 'server-error': return answered(response.writeHead(503, { 'Content-Type': 'text/plain', 'Retry-After': '7' }).end('down for maintenance'));
      case 'sse-only': return answered(request.method === 'GET'
        ? response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('event: endpoint\ndata: /messages?session=1\n\n')
        : response.writeHead(404).end('Cannot POST /sse'));
      case 'forbidden': return answered(response.writeHead(403).end());
      case 'redirects': return request.url === '/mcp' && message !== null
        ? answered(response.writeHead(307, { Location: '/mcp/' }).end()) : false;
      default: return false;
    }
  }

  #initialize(response: ServerResponse, message: Message): void {
    const session = randomUUID();
    this.#sessions.add(session);
    sendJson(response, 200, { jsonrpc: '2.0', id: message.id, result: {
      protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: this.kind, version: '0.0.1' },
    } }, { 'Mcp-Session-Id': session });
  }

  /** A session lives for one request only. */
  #forgot(request: IncomingMessage, response: ServerResponse, message: Message): boolean {
    if (this.kind !== 'forgets-sessions' && this.kind !== 'forgets-sessions-with-400') return false;
    const session = String(request.headers['mcp-session-id']);
    if (this.#sessions.has(session)) {
      this.#sessions.delete(session);
      return false;
    }
    const [status, code] = this.kind === 'forgets-sessions' ? [404, -32001] : [400, -32000];
    sendJson(response, status, { jsonrpc: '2.0', id: message.id, error: { code, message: 'Bad Request: No valid session ID provided' } });
    return true;
  }

  #list(request: IncomingMessage, response: ServerResponse, message: Message): void {
    const cursor = message.params?.cursor;
    const page = cursor === undefined ? 0 : Number(cursor === '' ? 1 : cursor);
    const tool = (name: string): object => ({ name, inputSchema: { type: 'object' } });
    switch (this.kind) {
      // The second page's cursor is the empty string, which is a valid one.
      case 'many-pages': return this.#result(response, message, { tools: [tool(`tool-${page}`)], ...(page < 11 ? { nextCursor: page === 0 ? '' : String(page + 1) } : {}) });
      case 'endless-pages': return this.#result(response, message, { tools: [tool(`tool-${page}`)], nextCursor: String(page + 2) });
      case 'cursor-loop': return this.#result(response, message, { tools: [tool(`tool-${page}`)], nextCursor: '7' });
      case 'catastrophic-schema': return this.#result(response, message, { tools: [{ name: 'echo', inputSchema: CATASTROPHIC_SCHEMA, outputSchema: CATASTROPHIC_SCHEMA }] });
      case 'reflects-credential': return this.#result(response, message, { tools: [{ name: 'echo', description: `You are ${request.headers.authorization}`, inputSchema: { type: 'object' } }] });
      case 'task': return this.#result(response, message, { tools: [{ ...tool('echo'), execution: { taskSupport: 'required' } }] });
      case 'bad-tools': return this.#result(response, message, { tools: [
        tool('good'), { name: 7, inputSchema: { type: 'object' } }, { name: 'no-schema' }, { name: 'bad\nname', inputSchema: {} }, 'not an object', tool('good'),
        { name: 'deep', inputSchema: JSON.parse('{"items":'.repeat(200) + '{}' + '}'.repeat(200)) as object }, { name: 'remote-ref', inputSchema: { type: 'object' }, outputSchema: { $ref: 'https://example.com/schema' } },
        { name: 'bad-pattern', inputSchema: { type: 'object', properties: { a: { type: 'string', pattern: '(' } } } }, tool('also-good'),
      ] });
      default: return this.#result(response, message, { tools: this.tools });
    }
  }

  #call(request: IncomingMessage, response: ServerResponse, message: Message): void {
    const error = (status: number, code: number, text: string): void => sendJson(response, status, { jsonrpc: '2.0', id: message.id, error: { code, message: text } });
    switch (this.kind) {
      case 'closes': return void request.socket.destroy();
      case 'resets': return void request.socket.resetAndDestroy();
      case 'hangs': return;
      case 'streams-for-ever': return streamForEver(response);
      case 'garbage': return void response.writeHead(200, { 'Content-Type': 'application/json' }).end('Starting server…\n{"jsonrpc":');
      case 'huge': return sendHuge(response, message);
      case 'unauthorized-after': return this.allowed-- > 0 ? this.#result(response, message, TEXT) : sendJson(response, 401, {}, { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
      case 'insufficient-scope': return sendJson(response, 403, {}, { 'WWW-Authenticate': 'Bearer error="insufficient_scope", scope="stock.write"' });
      case 'rate-limited': return sendJson(response, 429, {}, { 'Retry-After': '3' });
      case 'reflects-credential': return error(200, -32603, `no access for ${request.headers.authorization}`);
      case 'server-requests': return this.#askInBetween(response, message);
      case 'input-required': return this.#result(response, message, { resultType: 'input_required', inputRequests: {}, requestState: 'x' });
      case 'task': return this.#result(response, message, { task: { taskId: 't1', status: 'working' } });
      case 'cuts-stream': return void response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end(': nothing comes\n\n');
      case 'resumes-stream':
        this.#replay = `id: 2\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: message.id, result: TEXT })}\n\n`;
        return void response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('id: 1\nretry: 10\ndata:\n\n');
      case 'wrong-id': return sendJson(response, 200, { jsonrpc: '2.0', id: 'not-yours', result: TEXT });
      case 'no-content': return this.#result(response, message, { hello: 'world' });
      default: return this.#result(response, message, TEXT);
    }
  }

  /** `ping`, sampling and elicitation before the answer; the answer waits for the client's replies. */
  #askInBetween(response: ServerResponse, message: Message): void {
    const before = this.answers.length;
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const send = (body: object): void => void response.write(`event: message\r\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...body })}\r\n\r\n`);
    send({ method: 'notifications/message', params: { level: 'info', data: 'working' } });
    send({ id: 'p-1', method: 'ping' });
    send({ id: 77, method: 'sampling/createMessage', params: {} });
    send({ id: 'e-1', method: 'elicitation/create', params: {} });
    if (message.params?._meta?.progressToken !== undefined) send({ method: 'notifications/progress', params: { progressToken: message.params._meta.progressToken, progress: 1, total: 2, message: 'half' } });
    const wait = setInterval(() => {
      if (this.answers.length - before < 3 && !response.destroyed) return;
      clearInterval(wait);
      send({ id: message.id, result: TEXT });
      response.end();
    }, 5);
  }

  #get(request: IncomingMessage, response: ServerResponse): void {
    if (this.#replay === null || request.headers['last-event-id'] !== '1') return void response.writeHead(405).end();
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end(this.#replay);
  }

  #result(response: ServerResponse, message: Message, result: object): void {
    sendJson(response, 200, { jsonrpc: '2.0', id: message.id, result });
  }
}

const TEXT = { content: [{ type: 'text', text: 'fine' }] };
const MEBIBYTE = 1024 * 1024;

function answered(_done: unknown): true {
  return true;
}

function streamForEver(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const line = `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x'.repeat(1000) } })}\n\n`;
  const timer = setInterval(() => response.write(line), 2);
  response.on('close', () => clearInterval(timer));
}

/** 64 MiB of result, as fast as they are taken. */
function sendHuge(response: ServerResponse, message: Message): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).write(`{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},"result":{"content":[{"type":"text","text":"`);
  let left = 64;
  const more = (): void => {
    while (left-- > 0) if (!response.write('x'.repeat(MEBIBYTE))) return void response.once('drain', more);
    response.end('"}]}}');
  };
  more();
}

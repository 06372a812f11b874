import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { freePort } from '../free-port.js';
import { sendJson } from './listener.js';

/** A definition as a server lists it. */
export interface ListedTool {
  name: string;
  description?: string;
  inputSchema: object;
  [member: string]: unknown;
}

function announced(response: ServerResponse, answer: object): void {
  const events = [{ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }, answer];
  response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end(events.map((one) => `data: ${JSON.stringify(one)}\n\n`).join(''));
}

const PROTOCOL = '2025-11-25';

/** A server of the legacy era that can be changed, stopped and started again on its port while it is connected to. */
export class ChangeableServer {
  /** What it lists; by login, where it differs. */
  tools: ListedTool[] = [{ name: 'echo', description: 'Gives back.', inputSchema: { type: 'object' } }];
  readonly toolsOf = new Map<string, ListedTool[]>();
  name = 'changeable';
  /** The header that it wants, with the values that it takes; null: it answers everybody. */
  credential: { header: string; values: string[] } | null = null;
  /** Each login that it saw: the value of the credential's header, or null. */
  readonly logins: (string | null)[] = [];
  /** The same of each call of a tool that it answered. */
  readonly calls: (string | null)[] = [];
  /** What a tool answers, as text; the credential's value by default. */
  answer: (login: string | null, args: Record<string, unknown>) => string = (login) => String(login);
  /** Calls are answered in a stream that says first that the list of tools has changed. */
  announces = false;
  /** While set, all requests are answered 429 with this `Retry-After`, in seconds. */
  restS: number | null = null;
  /** Requests so far. */
  requests = 0;
  #server: Server | null = null;
  #port = 0;

  static async start(settings: Partial<Pick<ChangeableServer, 'tools' | 'credential' | 'name'>> = {}): Promise<ChangeableServer> {
    const server = Object.assign(new ChangeableServer(), settings);
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/mcp`;
  }

  /** On the port that it had, or a free one. */
  async start(): Promise<void> {
    if (this.#port === 0) this.#port = await freePort();
    const server = createServer((request, response) => this.#take(request, response));
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(this.#port, '127.0.0.1', resolve));
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; }).on('end', () => this.#answer(request, response, text));
  }

  #answer(request: IncomingMessage, response: ServerResponse, text: string): void {
    this.requests += 1;
    if (this.restS !== null) return sendJson(response, 429, {}, { 'Retry-After': String(this.restS) });
    const login = this.credential === null ? null : request.headers[this.credential.header.toLowerCase()] ?? null;
    this.logins.push(login as string | null);
    if (this.credential !== null && !this.credential.values.includes(String(login))) return sendJson(response, 401, {}, { 'WWW-Authenticate': 'Bearer realm="changeable"' });
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const message = JSON.parse(text) as { id?: number; method: string; params?: { arguments?: Record<string, unknown> } };
    if (message.id === undefined) return void response.writeHead(202).end();
    const reply = (result: object): void => sendJson(response, 200, { jsonrpc: '2.0', id: message.id, result });
    switch (message.method) {
      case 'initialize': return reply({ protocolVersion: PROTOCOL, capabilities: { tools: {} }, serverInfo: { name: this.name, version: '1.0.0' } });
      case 'tools/list': return reply({ tools: this.toolsOf.get(String(login)) ?? this.tools });
      case 'tools/call':
        this.calls.push(login as string | null);
        return this.announces ? announced(response, { jsonrpc: '2.0', id: message.id, result: { content: [] } })
          : reply({ content: [{ type: 'text', text: this.answer(login as string | null, message.params?.arguments ?? {}) }] });
      case 'ping': return reply({});
      default: return sendJson(response, 200, { jsonrpc: '2.0', id: message.id, error: { code: -32601, message: 'Method not found' } });
    }
  }
}

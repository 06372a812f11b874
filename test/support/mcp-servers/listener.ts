import { createServer, type IncomingHttpHeaders, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** One request as a test server saw it. */
export interface SeenRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  /** The parsed body; null where there was none, the text where it wasn't JSON. */
  body: unknown;
}

/** A server on 127.0.0.1, with a log of what it saw. */
export interface TestListener {
  url: string;
  port: number;
  seen: SeenRequest[];
  /** TCP connections that are open now. */
  connections(): number;
  /** Closes at once, open connections too. */
  close(): Promise<void>;
}

/** Serves on 127.0.0.1, on a free port unless one is given; `url` ends in `path`. */
export async function listen(handle: RequestListener, path = '/mcp', seen: SeenRequest[] = [], wantedPort = 0): Promise<TestListener> {
  const server = createServer(handle);
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(wantedPort, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${path}`, port, seen, connections: () => sockets.size,
    close: () => new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    }),
  };
}

/** Reads a request whole and notes it in the log. */
export async function record(request: IncomingMessage, seen: SeenRequest[]): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const entry = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: parsed(text) };
  seen.push(entry);
  return entry;
}

function parsed(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(typeof body === 'string' ? body : JSON.stringify(body));
}

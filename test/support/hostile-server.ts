import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { constants, createBrotliCompress, createDeflate, createDeflateRaw, createGzip } from 'node:zlib';
import { LOOPBACK_CERTIFICATE } from './loopback-certificate.js';

/** A request that arrived, with its whole body. */
export interface SeenRequest {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** How a {@link HostileServer} is started. */
export interface HostileOptions {
  /** 127.0.0.1 unless another loopback address is to play another host. */
  address?: string;
  port?: number;
  tls?: boolean;
}

type Behaviour = (response: ServerResponse, query: URLSearchParams, seen: SeenRequest) => void;

/**
 * A server that misbehaves on demand, by path; see {@link BEHAVIOURS}. It listens on loopback and a free port, remembers every request and counts
 * connections. `await using` or {@link close} ends it with all its connections.
 */
export class HostileServer {
  readonly requests: SeenRequest[] = [];
  /** Connections accepted so far. */
  accepted = 0;
  /** The most connections that were open at once. */
  peak = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #origin: string;

  private constructor(server: Server, origin: string) {
    this.#server = server;
    this.#origin = origin;
  }

  static async start(options: HostileOptions = {}): Promise<HostileServer> {
    const { address = '127.0.0.1', tls = false } = options;
    const server = tls ? createTlsServer(LOOPBACK_CERTIFICATE) : createServer();
    // Long: that the machine stands still for a few seconds is no reason to connect anew, and connections are counted.
    server.keepAliveTimeout = 60_000;
    server.listen(options.port ?? 0, address);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const hostile = new HostileServer(server, `${tls ? 'https' : 'http'}://${address}:${port}`);
    server.on('connection', (socket) => hostile.#accept(socket));
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void hostile.#answer(request, response));
    return hostile;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  /** @param path a behaviour with its query, e.g. `/bomb?encoding=gzip&mib=64` */
  url(path = '/echo'): string {
    return this.#origin + path;
  }

  /** Waits until no connection is open: what a client must arrive at that gave a request up. */
  async drained(): Promise<void> {
    while (this.#sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Closes the connections that are open now, as a server does that restarts. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.dropConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    this.accepted += 1;
    this.#sockets.add(socket);
    this.peak = Math.max(this.peak, this.#sockets.size);
    socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    const { pathname, searchParams } = new URL(request.url!, this.#origin);
    let body = '';
    try {
      for await (const chunk of request) body += String(chunk);
    } catch {
      return; // The client hung up while sending; there is nobody to answer.
    }
    const seen = { method: request.method!, url: request.url!, headers: request.headers, body };
    this.requests.push(seen);
    (BEHAVIOURS[pathname] ?? notFound)(response, searchParams, seen);
  }
}

/** What the paths of a {@link HostileServer} do. */
export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  /** Answers with the request it saw, as JSON. */
  '/echo': (response, _query, seen) => json(response, seen),
  /** `?status=`, empty body. */
  '/status': (response, query) => response.writeHead(Number(query.get('status'))).end(),
  /** `?bytes=` of text with a Content-Length. */
  '/sized': (response, query) => response.end('x'.repeat(Number(query.get('bytes')))),
  /** `?ms=`: answers only after a while. */
  '/delayed': (response, query) => void setTimeout(() => json(response, { delayed: true }), Number(query.get('ms'))).unref(),
  /** Accepts the request and never answers. */
  '/silent': () => undefined,
  /** Head at once, then one byte every `?ms=` for ever. */
  '/trickle': (response, query) => {
    response.writeHead(200).flushHeaders();
    const timer = setInterval(() => response.write('.'), Number(query.get('ms') ?? 20));
    response.on('close', () => clearInterval(timer));
  },
  /** A head that never ends: one header line every 20 ms. */
  '/slow-head': (response) => {
    const socket = response.socket!;
    socket.write('HTTP/1.1 200 OK\r\n');
    const timer = setInterval(() => socket.write('x-more: 1\r\n'), 20);
    socket.on('close', () => clearInterval(timer));
  },
  /** A head of more than a megabyte. */
  '/huge-head': (response) => {
    response.socket!.write(`HTTP/1.1 200 OK\r\n${'x-padding: '.padEnd(1_000, 'x')}\r\n`.concat(`x-padding: ${'x'.repeat(1_000)}\r\n`.repeat(1_000)));
  },
  /** 1xx answers without end. */
  '/informational': (response) => {
    const timer = setInterval(() => response.writeProcessing(), 5);
    response.on('close', () => clearInterval(timer));
  },
  /** Text without end, as fast as the reader takes it. */
  '/endless': (response) => pour(response, 'text/plain', 'x'.repeat(16_384)),
  /** Server-sent events without end. */
  '/endless-events': (response) => pour(response, 'text/event-stream', `data: ${'x'.repeat(1_000)}\n\n`),
  /** One event, then silence with the stream open. */
  '/open-events': (response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: one\n\n'),
  /** `?encoding=gzip|deflate|raw-deflate|br&mib=`: that many MiB of zeros, compressed. */
  '/bomb': (response, query) => compressed(response, query.get('encoding')!, Number(query.get('mib') ?? 64) * 1024, Buffer.alloc(1024)),
  /** `?encoding=`: a small JSON document, compressed. */
  '/compressed': (response, query) => compressed(response, query.get('encoding')!, 1, Buffer.from('{"compressed":true}')),
  /** `?encoding=`: claims it, and sends plain text. */
  '/miscoded': (response, query) => response.writeHead(200, { 'content-encoding': query.get('encoding')! }).end('this is not compressed'),
  /** A gzip stream that is cut in the middle, in an answer that is complete. */
  '/cut-gzip': (response) => {
    const gzip = createGzip();
    const parts: Buffer[] = [];
    gzip.on('data', (part: Buffer) => parts.push(part));
    gzip.on('end', () => response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.concat(parts).subarray(0, 30)));
    gzip.end('x'.repeat(100) + Math.random().toString().repeat(20));
  },
  /** `?to=&status=302`. */
  '/redirect': (response, query) => response.writeHead(Number(query.get('status') ?? 302), { location: query.get('to')! }).end('moved'),
  /** A redirect that doesn't say where to. */
  '/redirect-nowhere': (response) => response.writeHead(302).end(),
  /** Redirects to itself. */
  '/redirect-loop': (response) => response.writeHead(302, { location: '/redirect-loop' }).end(),
  /** Resets the connection without an answer. */
  '/reset': (response) => response.socket!.resetAndDestroy(),
  /** Closes the connection without an answer. */
  '/hang-up': (response) => response.socket!.end(),
  /** Promises 1000 bytes, sends five and resets. */
  '/reset-in-body': (response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('12345', () => setTimeout(() => response.socket?.resetAndDestroy(), 10));
  },
  /** Not HTTP at all. */
  '/garbage': (response) => response.socket!.end('I am not\r\nan HTTP server\r\n\r\n'),
};

function notFound(response: ServerResponse): void {
  response.writeHead(404).end('no such behaviour');
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function pour(response: ServerResponse, type: string, piece: string): void {
  response.writeHead(200, { 'content-type': type });
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
  };
  response.on('drain', more);
  more();
}

function compressed(response: ServerResponse, encoding: string, pieces: number, piece: Buffer): void {
  // Brotli's default quality would spend seconds on zeros.
  const brotli = () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
  const encoders = { gzip: createGzip, deflate: createDeflate, 'raw-deflate': createDeflateRaw, br: brotli };
  const encoder = encoders[encoding as keyof typeof encoders]();
  response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding === 'raw-deflate' ? 'deflate' : encoding });
  encoder.pipe(response);
  response.on('close', () => encoder.destroy());
  encoder.on('error', () => undefined);
  let left = pieces;
  const more = (): void => {
    while (left > 0 && !encoder.destroyed) {
      left -= 1;
      if (!encoder.write(piece)) return void encoder.once('drain', more);
    }
    encoder.end();
  };
  more();
}

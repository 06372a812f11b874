import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { Agent, request as send } from 'undici';
import { ClusterAccess, type Access } from '#operator/kubernetes/cluster-access.js';

/** A request as it came to the door. */
export interface Knock {
  method: string;
  path: string;
  query: URLSearchParams;
  watch: boolean;
}

/** What is done in place of handing a request on: an answer, a connection that is cut, one on which nothing is ever said. */
export type Fault = { status: number; headers?: Record<string, string>; body?: string } | 'RESET' | 'SILENT';

/** A proxy before an API server, for what can't be provoked there. It passes everything on until it is told otherwise. */
export class FaultyDoor {
  readonly knocks: Knock[] = [];
  /** TCP connections so far. */
  connections = 0;
  /** Asked for each request; null: it is handed on. */
  fault: (knock: Knock) => Fault | null = () => null;
  readonly #sockets = new Set<Socket>();
  readonly #agents = [new Agent({ allowH2: false }), new Agent({ allowH2: false, bodyTimeout: 0 })] as const;

  private constructor(private readonly server: Server, private readonly behind: ClusterAccess) {}

  static async open(kubeconfig: string): Promise<FaultyDoor> {
    // Long: that the machine stands still for a few seconds is no reason to connect anew, and connections are counted.
    const server = createServer({ keepAliveTimeout: 60_000 });
    const door = new FaultyDoor(server, await ClusterAccess.load({ file: kubeconfig }));
    server.on('request', (request, response) => void door.#handle(request, response).catch(() => response.destroy()));
    server.on('connection', (socket) => {
      door.connections += 1;
      door.#sockets.add(socket);
      socket.on('close', () => door.#sockets.delete(socket)).on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return door;
  }

  /** For a `KubeClient`. */
  async next(): Promise<Access> {
    const [dispatcher, watchers] = this.#agents;
    return { server: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`, headers: {}, dispatcher, watchers };
  }

  /** Of requests so far. */
  lists(path: string): Knock[] {
    return this.knocks.filter((knock) => knock.method === 'GET' && knock.path === path && !knock.watch);
  }

  watches(path: string): Knock[] {
    return this.knocks.filter((knock) => knock.path === path && knock.watch);
  }

  /** Cuts every connection, watches too. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    await Promise.all([...this.#agents.map((agent) => agent.destroy()), this.behind.close(), new Promise((resolve) => this.server.close(resolve))]);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, 'http://door');
    const knock = { method: request.method!, path: pathname, query: searchParams, watch: searchParams.get('watch') === 'true' };
    this.knocks.push(knock);
    const fault = this.fault(knock);
    if (fault === 'SILENT') return void response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    if (fault === 'RESET') return void request.socket.resetAndDestroy();
    if (fault !== null) return void response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers }).end(fault.body ?? '{}');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { server, headers, watchers } = await this.behind.next();
    const answer = await send(`${server}${request.url}`, {
      method: knock.method as 'GET', dispatcher: watchers, headers: { ...headers, accept: 'application/json', 'content-type': request.headers['content-type'] ?? 'application/json' },
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    response.writeHead(answer.statusCode, { 'content-type': 'application/json' }).flushHeaders();
    await pipeline(answer.body, response);
  }
}

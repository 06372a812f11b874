import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { LOOPBACK_CERTIFICATE } from '../loopback-certificate.js';

/** A web server with HTTPS on loopback that shows what stands at another address, as a company's site shows the client metadata document of an internal API. */
export interface DocumentHost {
  url: string;
  /** How often it was asked. */
  reads: number;
  /** While set, the site is down. */
  down: boolean;
  close(): Promise<void>;
}

/** Starts it; `source` is asked at each request. */
export async function startDocumentHost(source: () => string): Promise<DocumentHost> {
  const server = createServer(LOOPBACK_CERTIFICATE, (_request, response) => {
    host.reads += 1;
    if (host.down) return void response.writeHead(503).end();
    void fetch(source()).then(async (found) => response.writeHead(found.status, { 'content-type': found.headers.get('content-type') ?? 'text/plain' }).end(await found.text()));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host: DocumentHost = {
    url: `https://localhost:${(server.address() as AddressInfo).port}/fairlead-client.json`, reads: 0, down: false,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return host;
}

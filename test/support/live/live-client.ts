import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import { contractDocument } from '../contract.js';

/** What came over one subscription. */
export interface Watch {
  // eslint-disable-next-line typescript/no-explicit-any -- tests reach into events of any shape
  events: any[];
  /** Errors with which it ended; a socket that was closed is `{code, reason}`. */
  errors: unknown[];
  /** Resolves when it has ended, either way. */
  ended: Promise<void>;
  stop(): void;
}

/** A client of its own socket, which never connects again. */
export interface LiveClient {
  client: Client;
  /** Subscribes with the contract's operation of that name, or a document. */
  watch(documentOrName: string, variables?: Record<string, unknown>): Watch;
  /** The code that the socket was closed with. */
  closed: Promise<{ code: number; reason: string }>;
  close(): Promise<void>;
}

/** Connects with graphql-ws as frontends do. Other options of the socket: `headers`. */
export function liveClient(url: string, token: string | null, options: { headers?: Record<string, string> } = {}): LiveClient {
  const { promise: closed, resolve } = Promise.withResolvers<{ code: number; reason: string }>();
  class Socket extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(address, protocols, { headers: options.headers });
    }
  }
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: Socket, lazy: false, retryAttempts: 0, onNonLazyError: () => undefined,
    ...(token !== null && { connectionParams: { authorization: `Bearer ${token}` } }),
    on: { closed: (event) => resolve(event as { code: number; reason: string }) },
  });
  return {
    client, closed,
    watch(documentOrName, variables = {}) {
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      const watch: Watch = { events: [], errors: [], ended, stop: () => undefined };
      const query = /^\w+$/.test(documentOrName) ? contractDocument(documentOrName) : documentOrName;
      watch.stop = client.subscribe({ query, variables }, {
        next: (result) => void watch.events.push(result.errors === undefined ? Object.values(result.data ?? {})[0] : { errors: result.errors }),
        error: (error) => {
          watch.errors.push(...(Array.isArray(error) ? error : [error]));
          end();
        },
        complete: end,
      });
      return watch;
    },
    close: async () => void await client.dispose(),
  };
}

import { connect as connectPlain, isIP, type LookupFunction, type Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';
import { connect as connectSecure } from 'node:tls';
import { EgressError } from './errors.js';

/** Where a {@link Connector} connects to, and under which conditions. */
export interface ConnectorOptions {
  url: URL;
  /** The only look-up there is: Node asks none for literal addresses. */
  lookup: LookupFunction;
  /** From the beginning until the connection, with TLS where that is spoken, can be written to. */
  timeoutMs: number;
  /** Ends what is under way, and what was made. */
  closing: AbortSignal;
}

/** What became of a connection: one of the two is null. */
export type Connected = (error: Error | null, socket: Socket | null) => void;

const KEEP_ALIVE_MS = 60_000;

/** Makes connections to one origin, for HTTP/1.1. TLS is resumed where the server offers it. */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #host: string;
  readonly #port: number;
  readonly #secure: boolean;
  /** The ticket of the connection before. */
  #session: Buffer | undefined;

  constructor(options: ConnectorOptions) {
    const { hostname, port, protocol } = options.url;
    this.#options = options;
    this.#secure = protocol === 'https:';
    this.#host = hostname.replace(/^\[(.*)\]$/, '$1');
    this.#port = port === '' ? (this.#secure ? 443 : 80) : Number(port);
  }

  /** Calls back once. Errors of the connection after that are for whoever has it. */
  connect(connected: Connected): void {
    const { timeoutMs, closing, url } = this.#options;
    const socket = addAbortSignal(closing, this.#dial());
    const settle: Connected = (...outcome) => {
      clearTimeout(timer);
      connected(...outcome);
    };
    const timer = setTimeout(() => socket.destroy(new EgressError('CONNECT', `${url.origin}: no connection within ${timeoutMs} ms`, { sent: 'NOTHING' })), timeoutMs).unref();
    let made = false;
    socket.setKeepAlive(true, KEEP_ALIVE_MS).setNoDelay(true).once(this.#secure ? 'secureConnect' : 'connect', () => {
      made = true;
      settle(null, socket);
    }).on('error', (error) => {
      if (!made) settle(error, null);
    });
  }

  #dial(): Socket {
    const to = { host: this.#host, port: this.#port, lookup: this.#options.lookup };
    if (!this.#secure) return connectPlain(to);
    const name = isIP(this.#host) === 0 ? { servername: this.#host } : {};
    return connectSecure({ ...to, ...name, session: this.#session, ALPNProtocols: ['http/1.1'] }).on('session', (session) => { this.#session = session; });
  }
}

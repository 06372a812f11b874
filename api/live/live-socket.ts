import type { WebSocket as GraphqlSocket } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Principal } from '../identity/principal.js';
import { CLOSE, type LiveLimits } from './limits.js';

const WINDOW_MS = 10_000;
/** How long a client has for its side of the closing. */
const CLOSING_MS = 1_000;
/** https://www.rfc-editor.org/rfc/rfc6455#section-5.5: a close frame has no room for more. */
const MAX_REASON_BYTES = 120;

/** One client's socket: pinged, bounded in what it may send and leave lying, and dropped when it breaks the bounds. */
export class LiveSocket implements GraphqlSocket {
  /** Aborts when the socket closes, for whatever reason. */
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  /** The credential that the client sent, and who that is; null before. */
  bearer: string | null = null;
  principal: Principal | null = null;
  #alive = true;
  #messages = 0;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(private readonly ws: WebSocket, private readonly limits: LiveLimits, readonly requestId: string) {
    ws.on('pong', () => { this.#alive = true; });
    // Always followed by `close`; oversized and malformed frames come here, closed with their codes by ws.
    ws.on('error', () => undefined);
    ws.once('close', () => {
      for (const timer of this.#timers) clearInterval(timer);
      this.#controller.abort();
    });
    // After what has come was read: to a process that stood still it would else seem that nobody had answered.
    this.every(limits.pingMs, () => void setImmediate(() => this.#ping()));
    this.every(WINDOW_MS, () => { this.#messages = 0; });
  }

  get protocol(): string {
    return this.ws.protocol;
  }

  get open(): boolean {
    return this.ws.readyState === this.ws.OPEN;
  }

  /** Does something again and again until the socket closes. */
  every(ms: number, work: () => void): void {
    this.#timers.push(setInterval(work, ms).unref());
  }

  /** Resolves when the message was handed to the network, which paces whoever sends; a client that takes too long is dropped. */
  send(data: string): Promise<void> {
    return new Promise((resolve) => {
      if (!this.open) return resolve();
      const late = setTimeout(() => this.#tooSlow(), this.limits.sendTimeoutMs);
      this.ws.send(data, () => {
        clearTimeout(late);
        resolve();
      });
      if (this.ws.bufferedAmount > this.limits.bufferedBytes) this.#tooSlow();
    });
  }

  close(code: number, reason = ''): void {
    this.ws.close(code, Buffer.from(reason).subarray(0, MAX_REASON_BYTES).toString('utf8').replace(/\uFFFD+$/, ''));
    const cut = setTimeout(() => this.ws.terminate(), CLOSING_MS);
    this.ws.once('close', () => clearTimeout(cut));
  }

  onMessage(handle: (data: string) => Promise<void>): void {
    this.ws.on('message', (data, isBinary) => {
      if (!this.open) return;
      this.#messages += 1;
      if (this.#messages > this.limits.messagesPerWindow) this.close(CLOSE.POLICY, 'Too many messages at once');
      else if (isBinary) this.close(1003, 'Messages are text');
      else void handle(String(data));
    });
  }

  #ping(): void {
    if (!this.#alive) return this.ws.terminate();
    this.#alive = false;
    if (this.open) this.ws.ping();
  }

  #tooSlow(): void {
    if (this.open) this.close(CLOSE.TOO_SLOW, 'Too slow: subscribe again, and read what changed meanwhile');
  }
}

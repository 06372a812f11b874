import type { Socket } from 'node:net';
import { AnswerParser, type AnswerSink, type Headers } from './answer-parser.js';
import { EgressError } from './errors.js';
import type { Exchange } from './exchange.js';
import { egressFault } from './faults.js';

/** A request, ready to be written. */
export interface RequestBytes {
  bytes: string | Buffer;
  latin1: boolean;
}

/** Who looks after a wire. */
export interface WireOwner {
  /** It may carry the next request. */
  onFree(wire: Wire): void;
  /** It has ended, for whatever reason; called once. */
  onGone(wire: Wire): void;
}

/**
 * How long an idle connection is kept when the server doesn't say. Uvicorn and Node close theirs after 5 s, and only Node says so;
 * a request that meets a closing connection has an unknown outcome, which costs more than a new connection.
 */
const KEEP_ALIVE_MS = 4_000;
/** Of what the server says, so much is left to the way there and back. */
const KEEP_ALIVE_MARGIN_MS = 2_000;
const LONGEST_KEEP_ALIVE_MS = 600_000;

/**
 * One HTTP/1.1 connection, one exchange at a time; each request goes out with one write.
 *
 *     free ──send──▶ carrying ──answer complete──▶ free
 *       └── closed by either side, or idle too long ──▶ gone ◀── aborted, broken, malformed ── carrying
 */
export class Wire implements AnswerSink {
  readonly #parser = new AnswerParser();
  #exchange: Exchange | null = null;
  #idleUntil = performance.now() + KEEP_ALIVE_MS;
  #gone = false;

  constructor(private readonly socket: Socket, private readonly origin: string, private readonly owner: WireOwner) {
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.#ended());
    socket.on('error', (error) => this.#break(egressFault(error, true, origin.startsWith('https:'), origin)));
    socket.on('close', () => this.#break(this.#closedEarly()));
  }

  /** Whether it can carry a request at this moment of `performance.now()`; what the server has closed meanwhile can't. */
  usable(now: number): boolean {
    return !this.#gone && this.socket.writable && !this.socket.destroyed && now < this.#idleUntil;
  }

  /** Sends a request. The exchange has begun when the first byte is handed to the socket. */
  send({ bytes, latin1 }: RequestBytes, exchange: Exchange): void {
    this.#exchange = exchange;
    exchange.begin(this);
    if (latin1) this.socket.write(bytes, 'latin1');
    else this.socket.write(bytes);
  }

  /** Ends it, and what it carries. */
  abort(error: EgressError): void {
    this.#break(error);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  head(status: number, headers: Headers): void {
    this.#exchange?.head(status, headers);
  }

  data(bytes: Buffer): void {
    this.#exchange?.data(bytes);
  }

  #take(chunk: Buffer): void {
    // Nobody asked: whatever it means, it isn't the answer to the next request.
    if (this.#exchange === null) return this.#break(this.#closedEarly());
    let left: number | null;
    try {
      left = this.#parser.push(chunk, this);
    } catch (error) {
      return this.#break(egressFault(error, true, false, this.origin));
    }
    if (left !== null && !this.#gone) this.#finish(left === 0);
  }

  #ended(): void {
    if (this.#exchange !== null && this.#parser.end()) this.#finish(false);
    else this.#break(this.#closedEarly());
  }

  /** The answer is complete; a connection that isn't certainly between two answers isn't used again. */
  #finish(clean: boolean): void {
    const exchange = this.#exchange!;
    this.#exchange = null;
    const { keepAlive, idleSeconds } = this.#parser;
    const idleMs = idleSeconds === null ? KEEP_ALIVE_MS : Math.min(LONGEST_KEEP_ALIVE_MS, idleSeconds * 1000 - KEEP_ALIVE_MARGIN_MS);
    if (!clean || !keepAlive || idleMs <= 0 || this.socket.writableLength > 0) {
      this.#break(this.#closedEarly());
      exchange.end();
      return;
    }
    this.#parser.reset();
    this.#idleUntil = performance.now() + idleMs;
    // The body may have held it up.
    if (this.socket.isPaused()) this.socket.resume();
    exchange.end();
    this.owner.onFree(this);
  }

  #break(error: EgressError): void {
    if (this.#gone) return;
    this.#gone = true;
    const exchange = this.#exchange;
    this.#exchange = null;
    this.socket.destroy();
    this.owner.onGone(this);
    exchange?.broken(error);
  }

  #closedEarly(): EgressError {
    return new EgressError('RESET', `${this.origin}: the connection was closed`, { sent: 'MAYBE' });
  }
}

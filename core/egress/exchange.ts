import type { Dispatcher } from 'undici';
import { ResponseBody, type BodySource } from './body.js';
import { EgressError } from './errors.js';
import { egressFault } from './faults.js';

/** The head of an answer, and its body. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: ResponseBody;
}

/** The bounds of one exchange. */
export interface ExchangeLimits {
  /** Absolute, in the milliseconds of `performance.now()`; over queueing, connecting, head and body. */
  deadline: number;
  /** Of the decompressed body. */
  maxBytes: number;
  signal?: AbortSignal;
}

/** Node's timers fire at once when they are asked for more. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * One request and its answer on one connection, as undici drives it:
 *
 * ```
 * waiting ──dispatch──► queued in undici ──onRequestStart──► begun ──onResponseStart──► answered ──► done
 *    └── nothing was sent: removed ──┴── nothing was sent ──┘ └── MAYBE: the connection is closed ──┘
 * ```
 *
 * undici calls `onRequestStart` in the same tick and right before it writes the head, and writes nothing if the request is aborted in there:
 * that is what `sent` rests on. undici doesn't repeat a request whose head was written.
 */
export class Exchange implements Dispatcher.DispatchHandler, BodySource {
  readonly answer: Promise<Answer>;
  readonly #limits: ExchangeLimits;
  readonly #secure: boolean;
  readonly #origin: string;
  #resolve!: (answer: Answer) => void;
  #reject!: (error: EgressError) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #begun = false;
  #body: ResponseBody | null = null;
  #error: EgressError | null = null;
  #timer: NodeJS.Timeout | null = null;
  #released = false;
  /** Called once, when undici has no more use for the connection slot. */
  onReleased: () => void = () => undefined;
  /** Called if it is given up before it was dispatched or begun. */
  onAbandoned: () => void = () => undefined;

  constructor(origin: string, limits: ExchangeLimits) {
    this.#origin = origin;
    this.#secure = origin.startsWith('https:');
    this.#limits = limits;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (limits.signal?.aborted) {
      this.#onAbort();
      return;
    }
    limits.signal?.addEventListener('abort', this.#onAbort);
    this.#timer = setTimeout(() => {
      this.abort(new EgressError('TIMEOUT', `${origin}: the deadline passed`, { sent: this.sent }));
    }, Math.min(MAX_TIMER_MS, Math.max(0, limits.deadline - performance.now())));
  }

  /** What can have reached the server by now. */
  get sent(): 'NOTHING' | 'MAYBE' {
    return this.#begun ? 'MAYBE' : 'NOTHING';
  }

  /** Whether it has failed; a failed exchange must not be dispatched. */
  get failed(): boolean {
    return this.#error !== null;
  }

  /** Ends it with this error, in whatever phase it is. */
  abort(error: EgressError): void {
    if (this.#error || (this.#body && this.#body.settled)) return;
    this.#error = error;
    this.settled();
    if (this.#body) this.#body.fail(error);
    else this.#reject(error);
    if (this.#controller && !this.#released) this.#controller.abort(error);
    else if (!this.#begun) this.onAbandoned();
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  settled(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#limits.signal?.removeEventListener('abort', this.#onAbort);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#error) {
      controller.abort(this.#error);
      return;
    }
    this.#controller = controller;
    this.#begun = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>): void {
    // 1xx answers announce the real one; the deadline bounds how many there may be.
    if (status < 200) return;
    if (status > 599) return this.abort(new EgressError('PROTOCOL', `${this.#origin}: status ${status}`, { sent: 'MAYBE' }));
    this.#body = new ResponseBody(this, this.#limits.maxBytes, contentEncoding(headers));
    this.#resolve({ status, headers, body: this.#body });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body?.push(chunk);
  }

  onResponseEnd(): void {
    this.#release();
    this.#body?.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, cause: Error): void {
    this.#release();
    this.abort(egressFault(cause, this.#begun, this.#secure, this.#origin));
  }

  readonly #onAbort = (): void => {
    this.abort(new EgressError('ABORTED', `${this.#origin}: the caller gave up`, { sent: this.sent, cause: this.#limits.signal?.reason }));
  };

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.onReleased();
  }
}

function contentEncoding(headers: Record<string, string | string[] | undefined>): string {
  const value = String(headers['content-encoding'] ?? '').trim().toLowerCase();
  return value === 'identity' ? '' : value;
}

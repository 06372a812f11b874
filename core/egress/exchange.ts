import { ResponseBody, type BodySource } from './body.js';
import { EgressError } from './errors.js';

/** The head of an answer, and its body. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: ResponseBody;
}

/** The connection that an exchange goes over. */
export interface Carrier {
  pause(): void;
  resume(): void;
  /** Closes it. */
  abort(error: EgressError): void;
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
 * One request and its answer on one connection, as a {@link Carrier} drives it:
 *
 * ```
 * waiting ──begin──► begun ──head──► answered ──end──► done
 *    └── nothing was sent: abandoned ──┘ └── MAYBE: the connection is closed ──┘
 * ```
 *
 * `begin` comes in the same tick as, and right before, the first byte is written: that is what `sent` rests on. No request is written twice.
 */
export class Exchange implements BodySource {
  readonly answer: Promise<Answer>;
  readonly #limits: ExchangeLimits;
  readonly #origin: string;
  #resolve!: (answer: Answer) => void;
  #reject!: (error: EgressError) => void;
  #carrier: Carrier | null = null;
  #begun = false;
  #body: ResponseBody | null = null;
  #error: EgressError | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Called if it is given up before it was begun. */
  onAbandoned: () => void = () => undefined;

  constructor(origin: string, limits: ExchangeLimits) {
    this.#origin = origin;
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
    if (this.#carrier !== null) this.#carrier.abort(error);
    else if (!this.#begun) this.onAbandoned();
  }

  pause(): void {
    this.#carrier?.pause();
  }

  resume(): void {
    this.#carrier?.resume();
  }

  settled(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#limits.signal?.removeEventListener('abort', this.#onAbort);
  }

  /** Its first byte is about to be written. An exchange that has {@link failed} must not be begun. */
  begin(carrier: Carrier): void {
    this.#carrier = carrier;
    this.#begun = true;
  }

  /** A head has come. */
  head(status: number, headers: Record<string, string | string[] | undefined>): void {
    // 1xx answers announce the real one; the deadline bounds how many there may be.
    if (status < 200) return;
    if (status > 599) return this.abort(new EgressError('PROTOCOL', `${this.#origin}: status ${status}`, { sent: 'MAYBE' }));
    this.#body = new ResponseBody(this, this.#limits.maxBytes, contentEncoding(headers));
    this.#resolve({ status, headers, body: this.#body });
  }

  /** Bytes of the body have come. */
  data(chunk: Buffer): void {
    this.#body?.push(chunk);
  }

  /** The answer is complete; the connection goes on without it. */
  end(): void {
    this.#carrier = null;
    this.#body?.end();
  }

  /** There is no connection, or it broke. */
  broken(error: EgressError): void {
    this.#carrier = null;
    this.abort(error);
  }

  readonly #onAbort = (): void => {
    this.abort(new EgressError('ABORTED', `${this.#origin}: the caller gave up`, { sent: this.sent, cause: this.#limits.signal?.reason }));
  };
}

function contentEncoding(headers: Record<string, string | string[] | undefined>): string {
  const value = String(headers['content-encoding'] ?? '').trim().toLowerCase();
  return value === 'identity' ? '' : value;
}

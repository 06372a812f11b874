import { UserFault } from '#core/errors.js';

/** What {@link CallLimits} is built of. */
export interface CallLimitsOptions {
  /** Calls that one process may have in flight. */
  maxInFlight: number;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/** Bounds of calls; null for none. */
export interface Bounds {
  ratePerMinute: number | null;
  concurrency: number | null;
}

/** The limits of one connection type (`calls` of its spec). */
export interface TypeLimits extends Bounds {
  /** Calls to its server that this process has room for at once. */
  atOnce?: number;
}

/** The bounds of one token. */
export interface TokenBounds {
  id: string;
  limits: Bounds;
  /** The call was asked for before, and counted then. */
  asked?: boolean;
}

/** Ends a call; see {@link CallLimits.enter}. */
export type Leave = (end?: 'UNMADE' | 'ASKED') => void;

interface Meter {
  running: number;
  /** Calls that may start at once; refilled continuously up to `ratePerMinute`. */
  tokens: number;
  rate: number | null;
  refilledAt: number;
}

const RETRY_WHEN_BUSY_MS = 500;
const IDLE_MS = 120_000;

/** Rate and concurrency of calls, per connection type and per token, and how many this process makes at once. Counts are per process. */
export class CallLimits {
  readonly #options: CallLimitsOptions;
  readonly #meters = new Map<string, Meter>();
  #inFlight = 0;

  constructor(options: CallLimitsOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * Admits one call; the function that is returned ends it, and must be called once: with `UNMADE` where no call was made after all, which then doesn't count for the rates; with `ASKED` where it waits for approval: that
   * counts for the rate of the token, which would have people decide about any number of calls, and not for the type's, whose server hears nothing of it. A call that was `asked` for before counts for the type's only.
   * @throws {UserFault} `RATE_LIMITED` or `OVERLOADED`, both retryable; then nothing was counted.
   */
  enter(typeId: string, limits: TypeLimits, token: TokenBounds | null = null): Leave {
    const ofType = this.#admitting(typeId, 'This connection type', limits);
    const meters = token === null ? [ofType] : [ofType, this.#admitting(`token ${token.id}`, 'This token', token.limits, token.asked)];
    const charged = token?.asked === true ? [ofType] : meters;
    if (ofType.running >= (limits.atOnce ?? Infinity)) throw busy('As many calls to this server are running as there is room for.');
    if (this.#inFlight >= this.#options.maxInFlight) throw busy('Too many calls are running.');
    for (const meter of charged) meter.tokens -= 1;
    for (const meter of meters) meter.running += 1;
    this.#inFlight += 1;
    return (end) => {
      const refunded = end === undefined ? [] : end === 'ASKED' ? [ofType] : charged;
      for (const meter of refunded) meter.tokens += 1;
      for (const meter of meters) meter.running -= 1;
      this.#inFlight -= 1;
    };
  }

  /** Forgets types and tokens that weren't used for a while, whose buckets are full again. */
  prune(): void {
    const before = this.#options.clock() - IDLE_MS;
    for (const [id, meter] of this.#meters) if (meter.running === 0 && meter.refilledAt < before) this.#meters.delete(id);
  }

  /** The meter of who may call now. */
  #admitting(key: string, who: string, limits: Bounds, asked = false): Meter {
    const meter = this.#refilled(key, limits);
    const { ratePerMinute, concurrency } = limits;
    if (!asked && ratePerMinute !== null && meter.tokens < 1) {
      const retryAfterMs = Math.ceil((1 - meter.tokens) * 60_000 / ratePerMinute);
      throw new UserFault('RATE_LIMITED', `${who} allows ${ratePerMinute} calls a minute. Try again in ${Math.ceil(retryAfterMs / 1000)} s.`, { retryable: true, retryAfterMs });
    }
    if (concurrency !== null && meter.running >= concurrency) throw busy(`${who} allows ${concurrency} calls at a time, and as many are running.`);
    return meter;
  }

  #refilled(key: string, { ratePerMinute }: Bounds): Meter {
    const now = this.#options.clock();
    let meter = this.#meters.get(key);
    if (meter === undefined) this.#meters.set(key, meter = { running: 0, tokens: ratePerMinute ?? 0, rate: ratePerMinute, refilledAt: now });
    if (ratePerMinute === null) meter.tokens = 0;
    // Where a manager raised or lowered the rate, the bucket starts full: the new rate counts from now.
    else if (meter.rate !== ratePerMinute) meter.tokens = ratePerMinute;
    else meter.tokens = Math.min(ratePerMinute, meter.tokens + (now - meter.refilledAt) * ratePerMinute / 60_000);
    meter.rate = ratePerMinute;
    meter.refilledAt = now;
    return meter;
  }
}

function busy(why: string): UserFault {
  return new UserFault('OVERLOADED', `${why} Try again shortly.`, { retryable: true, retryAfterMs: RETRY_WHEN_BUSY_MS });
}

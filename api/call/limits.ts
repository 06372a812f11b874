import { UserFault } from '#core/errors.js';

/** What {@link CallLimits} is built of. */
export interface CallLimitsOptions {
  /** Calls that one process may have in flight. */
  maxInFlight: number;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/** The limits of one connection type (`calls` of its spec); null for none. */
export interface TypeLimits {
  ratePerMinute: number | null;
  concurrency: number | null;
}

interface Meter {
  running: number;
  /** Calls that may start at once; refilled continuously up to `ratePerMinute`. */
  tokens: number;
  rate: number | null;
  refilledAt: number;
}

const RETRY_WHEN_BUSY_MS = 500;
const IDLE_MS = 120_000;

/** Rate and concurrency of calls, per connection type, and how many this process makes at once. Counts are per process. */
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
   * Admits one call; the function that is returned ends it, and must be called once: with true where no call was made after all, which then doesn't count for the rate.
   * @throws {UserFault} `RATE_LIMITED` or `OVERLOADED`, both retryable; then nothing was counted.
   */
  enter(typeId: string, limits: TypeLimits): (unmade?: boolean) => void {
    const meter = this.#refilled(typeId, limits);
    if (limits.ratePerMinute !== null && meter.tokens < 1) {
      const retryAfterMs = Math.ceil((1 - meter.tokens) * 60_000 / limits.ratePerMinute);
      throw new UserFault('RATE_LIMITED', `This connection type allows ${limits.ratePerMinute} calls a minute. Try again in ${Math.ceil(retryAfterMs / 1000)} s.`, { retryable: true, retryAfterMs });
    }
    if (limits.concurrency !== null && meter.running >= limits.concurrency) {
      throw new UserFault('OVERLOADED', `This connection type allows ${limits.concurrency} calls at a time, and as many are running. Try again shortly.`, { retryable: true, retryAfterMs: RETRY_WHEN_BUSY_MS });
    }
    if (this.#inFlight >= this.#options.maxInFlight) {
      throw new UserFault('OVERLOADED', 'Too many calls are running. Try again shortly.', { retryable: true, retryAfterMs: RETRY_WHEN_BUSY_MS });
    }
    meter.tokens -= 1;
    meter.running += 1;
    this.#inFlight += 1;
    return (unmade = false) => {
      if (unmade) meter.tokens += 1;
      meter.running -= 1;
      this.#inFlight -= 1;
    };
  }

  /** Forgets types that weren't called for a while, whose buckets are full again. */
  prune(): void {
    const before = this.#options.clock() - IDLE_MS;
    for (const [id, meter] of this.#meters) if (meter.running === 0 && meter.refilledAt < before) this.#meters.delete(id);
  }

  #refilled(typeId: string, { ratePerMinute }: TypeLimits): Meter {
    const now = this.#options.clock();
    let meter = this.#meters.get(typeId);
    if (meter === undefined) this.#meters.set(typeId, meter = { running: 0, tokens: ratePerMinute ?? 0, rate: ratePerMinute, refilledAt: now });
    if (ratePerMinute === null) meter.tokens = 0;
    // Where a manager raised or lowered the rate, the bucket starts full: the new rate counts from now.
    else if (meter.rate !== ratePerMinute) meter.tokens = ratePerMinute;
    else meter.tokens = Math.min(ratePerMinute, meter.tokens + (now - meter.refilledAt) * ratePerMinute / 60_000);
    meter.rate = ratePerMinute;
    meter.refilledAt = now;
    return meter;
  }
}

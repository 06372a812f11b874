import { UserFault } from '#core/errors.js';

/** At most `limit` acts per `windowMs` for each key, in this process. */
export class RateLimit {
  private readonly buckets = new Map<string, { tokens: number; at: number }>();

  constructor(private readonly limit: number, private readonly windowMs: number, private readonly clock: () => number, private readonly message: string) {}

  /** Counts one act. Throws RATE_LIMITED with the time to wait. */
  take(key: string): void {
    const now = this.clock();
    if (this.buckets.size > 10_000) this.forgetFull(now);
    const bucket = this.buckets.get(key) ?? { tokens: this.limit, at: now };
    const tokens = Math.min(this.limit, bucket.tokens + ((now - bucket.at) / this.windowMs) * this.limit);
    if (tokens < 1) {
      this.buckets.set(key, { tokens, at: now });
      const retryAfterMs = Math.ceil(((1 - tokens) / this.limit) * this.windowMs);
      throw new UserFault('RATE_LIMITED', this.message, { retryable: true, retryAfterMs });
    }
    this.buckets.set(key, { tokens: tokens - 1, at: now });
  }

  private forgetFull(now: number): void {
    for (const [key, bucket] of this.buckets) if (now - bucket.at > this.windowMs) this.buckets.delete(key);
  }
}

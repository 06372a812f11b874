import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const RANDOM_BYTES = 16;
const IDS_AT_ONCE = 256;

/**
 * New UUIDs version 7 ([RFC 9562, section 5.7](https://www.rfc-editor.org/rfc/rfc9562#section-5.7)) for who makes many: they sort in the order in which they were made, and
 * the system is asked for randomness once for 256 of them.
 */
export class IdSource {
  readonly #random = new Uint8Array(RANDOM_BYTES * IDS_AT_ONCE);
  #used = this.#random.length;
  #msecs = -Infinity;
  #seq = 0;

  /** `now`: milliseconds since 1970. */
  constructor(private readonly now: () => number) {}

  next(): string {
    if (this.#used === this.#random.length) {
      randomFillSync(this.#random);
      this.#used = 0;
    }
    const random = this.#random.subarray(this.#used, this.#used += RANDOM_BYTES);
    const now = this.now();
    if (now > this.#msecs) {
      this.#msecs = now;
      // 31 bits, so that there is room to count up within the millisecond.
      this.#seq = ((random[6]! & 0x7f) << 24) | (random[7]! << 16) | (random[8]! << 8) | random[9]!;
    } else if (++this.#seq > 0xffff_ffff) {
      this.#seq = 0;
      this.#msecs += 1;
    }
    return v7({ random, msecs: this.#msecs, seq: this.#seq });
  }
}

import { deriveKey } from './derive.js';
import type { KeyRing } from './key-ring.js';
import type { KeyObject } from 'node:crypto';

/**
 * The key ring of a running process, which may change under it: its file is read again, and a new key in front of it is not wrapped with before everybody holds it
 * (docs/adr/0017). The rule is: *read by every key, write by the first that all living processes hold*.
 */
export class LiveKeyRing {
  #ring: KeyRing;
  #wrapsWith: string;
  #reading: Promise<boolean> | null = null;

  /** @param source where the ring is read again; null for one that stays as it is, as from the environment */
  constructor(ring: KeyRing, private readonly source: (() => Promise<KeyRing>) | null = null) {
    this.#ring = ring;
    this.#wrapsWith = ring.primaryId;
  }

  /** The id of the key that data keys are to be wrapped with in the end: the first of the ring. */
  get primaryId(): string {
    return this.#ring.primaryId;
  }

  /** The id of the key that wraps new data keys now. */
  get wrapsWith(): string {
    return this.#wrapsWith;
  }

  /** Ids in the order of the ring. */
  get ids(): readonly string[] {
    return this.#ring.ids;
  }

  /** `id:fingerprint` of each key, in the order of the ring: what a process says that it holds. */
  get holds(): readonly string[] {
    return this.ids.map((id) => `${id}:${fingerprint(this.#ring.key(id))}`);
  }

  /** As `KeyRing.key`. */
  key(id: string): KeyObject {
    return this.#ring.key(id);
  }

  /**
   * Reads the source again; true when the ring has changed. What is wrapped goes on with the key it was wrapped with until {@link settle} says otherwise.
   * When the source can't be used, this throws what it throws and the ring stays as it is.
   */
  refresh(): Promise<boolean> {
    return this.#reading ??= this.#read().finally(() => { this.#reading = null; });
  }

  /** Chooses the key to wrap with: the first that is held `everywhere`. Where none is, the last of the ring, which has been known for longest. */
  settle(everywhere: readonly string[]): void {
    this.#wrapsWith = this.ids.find((id) => everywhere.includes(id)) ?? this.ids.at(-1)!;
  }

  async #read(): Promise<boolean> {
    if (this.source === null) return false;
    const before = this.holds;
    const ring = await this.source();
    this.#ring = ring;
    if (!ring.ids.includes(this.#wrapsWith)) this.settle(before.map((held) => held.slice(0, held.lastIndexOf(':'))));
    return this.holds.join() !== before.join();
  }
}

/** Tells two keys of one id apart, and says nothing of either. */
function fingerprint(key: KeyObject): string {
  return deriveKey(key, 'fairlead/fingerprint', Buffer.alloc(0)).export().toString('hex').slice(0, 16);
}

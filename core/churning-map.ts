/**
 * A `Map` whose entries come and go all the time. V8 links each hash table of a `Map` to the one that takes its place when it has grown full of deleted entries, so that once one of them has become old,
 * whatever the later ones held is kept until the next full collection of garbage. A copy now and then cuts that chain. Whoever iterates while entries are deleted may see some that are gone.
 */
export class ChurningMap<K, V> {
  #map = new Map<K, V>();
  #deleted = 0;

  get size(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  set(key: K, value: V): void {
    this.#map.set(key, value);
  }

  delete(key: K): void {
    if (!this.#map.delete(key) || ++this.#deleted < Math.max(COPIED_AFTER, this.#map.size)) return;
    this.#map = new Map(this.#map);
    this.#deleted = 0;
  }

  keys(): MapIterator<K> {
    return this.#map.keys();
  }

  values(): MapIterator<V> {
    return this.#map.values();
  }
}

/** Deletions; more where there are more entries, so that copying costs no more than deleting. */
const COPIED_AFTER = 32;

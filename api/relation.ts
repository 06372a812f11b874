import DataLoader from 'dataloader';
import type { Maybe } from './graphql/when-there.js';

/** A relation by the key of its row, for one request: rows that are asked for at the same time are read with one statement, and what was read with something else needs none. */
export class Relation<V> extends DataLoader<string, V | null> {
  readonly #there = new Map<string, V>();

  /** @param load rows of these keys, in any order; those that are missing are null to whoever asks */
  constructor(load: (keys: readonly string[]) => Promise<readonly V[]>, key: (row: V) => string) {
    super(async (keys) => {
      for (const row of await load(keys)) this.#there.set(key(row), row);
      return keys.map((one) => this.#there.get(one) ?? null);
    });
  }

  /** Notes a row that was read with another one. */
  note(key: string, row: V): void {
    this.#there.set(key, row);
  }

  /** As `load`, but a row that is there is given at once. One that is missing never is: whoever throws then does so in a promise, which graphql-js waits for with its neighbours. */
  get(key: string): Maybe<V | null> {
    return this.#there.get(key) ?? this.load(key);
  }

  override load(key: string): Promise<V | null> {
    const there = this.#there.get(key);
    return there === undefined ? super.load(key) : Promise.resolve(there);
  }
}

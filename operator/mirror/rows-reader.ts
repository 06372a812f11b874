import { Grouped } from '#core/store/grouped.js';
import type { MirrorRows } from '#core/store/mirror-looks.js';
import type { Store } from '#core/store/store.js';

/** Reads what PostgreSQL has of custom resources; runs that ask while others are answered are answered together. */
export class RowsReader {
  readonly #asked: Grouped<string, MirrorRows | null>;

  constructor({ mirrorLooks }: Pick<Store, 'mirrorLooks'>) {
    this.#asked = new Grouped({ write: (ids) => mirrorLooks.rows(ids), mark: () => null, isItemFault: () => false });
  }

  /** As it stands now; null when the binding is gone. */
  read(id: string): Promise<MirrorRows | null> {
    return this.#asked.add(id);
  }
}

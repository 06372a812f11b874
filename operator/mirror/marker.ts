import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '#core/log.js';
import type { SeenObject } from '#core/store/mirror-objects.js';
import type { Store } from '#core/store/store.js';

/** What {@link Marker} is built of. */
export interface MarkerOptions {
  store: Pick<Store, 'mirrorObjects'>;
  /** Looks at a namespace. */
  look: (namespace: string) => Promise<void>;
  logger: Logger;
}

const GATHER_MS = 20;
const RETRY_MS = 1000;
const BATCH = 500;

/** Turns events into marks of the schedule, many in one statement; what can't be stored now is stored later. Events only make objects due. */
export class Marker {
  readonly #objects = new Map<string, SeenObject>();
  readonly #namespaces = new Set<string>();
  readonly #ended = new AbortController();
  #work: Promise<void> | null = null;

  constructor(private readonly options: MarkerOptions) {}

  object({ kind, namespace, name }: SeenObject): void {
    this.#objects.set(`${kind} ${namespace}/${name}`, { kind, namespace, name });
    this.#begin();
  }

  namespace(name: string): void {
    this.#namespaces.add(name);
    this.#begin();
  }

  /** When all that was noted so far is stored. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#work;
  }

  #begin(): void {
    if (this.#ended.signal.aborted) return;
    this.#work ??= this.#flush().finally(() => {
      this.#work = null;
      if (this.#objects.size + this.#namespaces.size > 0) this.#begin();
    });
  }

  async #flush(): Promise<void> {
    const { signal } = this.#ended;
    await this.#pause(GATHER_MS);
    while (this.#objects.size + this.#namespaces.size > 0 && !signal.aborted) {
      try {
        await this.#namespacesFirst();
        await this.#someObjects();
      } catch (error) {
        this.options.logger.warn({ err: error }, 'what was seen in the cluster could not be noted; it will be');
        await this.#pause(RETRY_MS);
      }
    }
  }

  async #namespacesFirst(): Promise<void> {
    for (const name of this.#namespaces) {
      this.#namespaces.delete(name);
      try {
        await this.options.look(name);
      } catch (error) {
        this.#namespaces.add(name);
        throw error;
      }
    }
  }

  async #someObjects(): Promise<void> {
    const batch = [...this.#objects].slice(0, BATCH);
    for (const [key] of batch) this.#objects.delete(key);
    try {
      await this.options.store.mirrorObjects.markSeen(batch.map(([, object]) => object));
    } catch (error) {
      for (const [key, object] of batch) if (!this.#objects.has(key)) this.#objects.set(key, object);
      throw error;
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#ended.signal }).catch(() => undefined);
  }
}

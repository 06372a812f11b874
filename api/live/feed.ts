import type { Logger } from '#core/log.js';

/** What {@link Feed} is built of. */
export interface FeedOptions<S> {
  read: () => Promise<S>;
  /** Reads are at least this far apart, however often something changes. */
  gapMs: number;
  /** Read at the latest after this, should nobody say that something changed. */
  pollMs: number;
  logger: Logger;
}

/**
 * The latest reading of something, shared by all who watch it. Level-triggered: a wake-up says only that it is time to read, and whoever comes late sees the
 * latest reading and none in between, so that a slow watcher costs nothing and nothing is lost for good.
 */
export class Feed<S> {
  #latest: S | null = null;
  #round = 0;
  #running: Promise<S> | null = null;
  #next: Promise<S> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #dueAt = Infinity;
  #readAt = -Infinity;
  #closed = false;
  readonly #waiters = new Set<() => void>();

  constructor(private readonly options: FeedOptions<S>) {}

  /** Something changed: read soon. */
  wake(): void {
    this.#arm(Math.max(20, this.#readAt + this.options.gapMs - performance.now()));
  }

  /** A reading that began no sooner than now. Rejects when the database does. */
  fresh(): Promise<S> {
    this.#next ??= (async () => {
      await this.#running?.catch(() => undefined);
      this.#next = null;
      return this.#read();
    })();
    return this.#next;
  }

  /** The number of the latest reading. */
  get round(): number {
    return this.#round;
  }

  /** The latest reading once there is one after `round`; null when `signal` aborts first. */
  async after(round: number, signal: AbortSignal): Promise<S | null> {
    while (this.#round <= round && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      this.#waiters.add(wake);
      signal.addEventListener('abort', wake, { once: true });
      await promise;
      this.#waiters.delete(wake);
      signal.removeEventListener('abort', wake);
    }
    return signal.aborted ? null : this.#latest;
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #read(): Promise<S> {
    this.#readAt = performance.now();
    const reading = this.options.read().then((value) => {
      this.#latest = value;
      this.#round += 1;
      for (const wake of this.#waiters) wake();
      return value;
    });
    this.#running = reading.finally(() => {
      this.#running = null;
      this.#arm(this.options.pollMs);
    });
    return this.#running;
  }

  #arm(ms: number): void {
    const at = performance.now() + ms;
    if (this.#closed || at >= this.#dueAt) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#dueAt = at;
    this.#timer = setTimeout(() => {
      this.#dueAt = Infinity;
      this.fresh().catch((error: unknown) => this.options.logger.warn({ err: error }, 'what is watched could not be read; trying again'));
    }, ms);
  }
}

/** Feeds by key, each for as long as somebody watches it. */
export class Feeds<S> {
  readonly #feeds = new Map<string, { feed: Feed<S>; watchers: number }>();

  constructor(private readonly options: Omit<FeedOptions<S>, 'read'> & { read: (key: string) => Promise<S> }) {}

  /** The feed of `key`. Every `join` is to be followed by one {@link leave}. */
  join(key: string): Feed<S> {
    let entry = this.#feeds.get(key);
    if (entry === undefined) this.#feeds.set(key, entry = { feed: new Feed({ ...this.options, read: () => this.options.read(key) }), watchers: 0 });
    entry.watchers += 1;
    return entry.feed;
  }

  leave(key: string): void {
    const entry = this.#feeds.get(key);
    if (entry === undefined || --entry.watchers > 0) return;
    this.#feeds.delete(key);
    entry.feed.close();
  }

  wake(key: string): void {
    this.#feeds.get(key)?.feed.wake();
  }

  wakeAll(): void {
    for (const { feed } of this.#feeds.values()) feed.wake();
  }
}

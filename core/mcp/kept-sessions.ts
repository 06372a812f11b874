import type { McpSession } from './session.js';

/** How {@link KeptSessions} keeps. */
export interface KeptSessionsOptions {
  /** A session that nobody took for so long is ended. */
  idleMs: number;
  /** A session that is older is ended when it comes back: what a server says of itself is heard when a session is opened. */
  maxAgeMs: number;
  /** At most so many; who comes when it is full is ended. */
  maxSessions: number;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/** A session that was kept, with its age. */
export interface KeptSession {
  session: McpSession;
  /** On the clock of {@link KeptSessionsOptions}. */
  openedAt: number;
}

interface Entry extends KeptSession {
  since: number;
}

/** Sessions are ended so many at a time when the process stops. */
const ENDED_AT_ONCE = 32;

/**
 * Sessions of strangers between two looks at their servers, one per address: taken out while one looks, put back when it answered. Only of servers that
 * keep something for a session themselves; what remains here is a few strings each. Credentials are never kept.
 */
export class KeptSessions {
  readonly #entries = new Map<string, Entry>();
  readonly #ending = new Set<Promise<void>>();
  readonly #sweeper: NodeJS.Timeout;
  #closed = false;

  constructor(private readonly options: KeptSessionsOptions) {
    this.#sweeper = setInterval(() => this.#endIdle(), Math.max(10, options.idleMs / 4)).unref();
  }

  /** How many are kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** The address's session, for whoever takes it alone; null where there is none. */
  take(url: string): KeptSession | null {
    const entry = this.#entries.get(url);
    this.#entries.delete(url);
    return entry ?? null;
  }

  /** Keeps a session that has just answered, or ends it where there is no point in keeping it. */
  put(url: string, { session, openedAt }: KeptSession): void {
    const { clock, maxAgeMs, maxSessions } = this.options;
    const keep = session.stateful && !this.#closed && !this.#entries.has(url) && this.#entries.size < maxSessions && clock() - openedAt < maxAgeMs;
    if (keep) this.#entries.set(url, { session, openedAt, since: clock() });
    else this.end(session);
  }

  /** Ends a session without waiting for it; {@link close} does. */
  end(session: McpSession): void {
    const ending: Promise<void> = session.close().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  /** Ends all of them, as far as that goes within the grace: a server ends what nobody uses by itself. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    const { clock } = this.options;
    const until = clock() + graceMs;
    const worker = async (): Promise<void> => {
      for (const [url, { session }] of this.#entries) {
        if (clock() >= until) return;
        this.#entries.delete(url);
        await session.close();
      }
    };
    await Promise.all(Array.from({ length: ENDED_AT_ONCE }, worker));
    this.#entries.clear();
    await Promise.all(this.#ending);
  }

  #endIdle(): void {
    const limit = this.options.clock() - this.options.idleMs;
    // In the order of their coming, which is that of their age here.
    for (const [url, { session, since }] of this.#entries) {
      if (since > limit) return;
      this.#entries.delete(url);
      this.end(session);
    }
  }
}

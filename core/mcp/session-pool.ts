import { PeerFault, UserFault } from '../errors.js';
import { SessionForgotten } from './faults.js';
import { CallCancelled, type McpSession } from './session.js';
import type { SessionTarget } from './session-opener.js';

/** What {@link SessionPool} is built of. */
export interface SessionPoolOptions {
  open: (target: SessionTarget) => Promise<McpSession>;
  /** A session that nobody used for so long is ended. */
  idleMs: number;
  /** At most so many sessions at once; the one that has been idle for longest makes room. */
  maxSessions: number;
  /** Opening is shared between waiters, so it has a deadline of its own. */
  openTimeoutMs: number;
  /** Monotonic milliseconds; `performance.now` by default. */
  clock?: () => number;
}

/** What {@link SessionPool.use} works on, and until when. */
export interface PoolUse {
  /** One session per key. It must tell apart whatever must not share a session: enrollment, credential version, confirmed URL. */
  key: string;
  url: string;
  headers?: Readonly<Record<string, string>>;
  /** As of {@link SessionTarget}. */
  secrets?: readonly string[];
  /** A deadline over opening, the work, and repeating both once. */
  timeoutMs: number;
  signal?: AbortSignal;
}

interface Entry {
  readonly opening: Promise<McpSession>;
  session: McpSession | null;
  users: number;
  idleSince: number;
  /** Taken out of the pool: ended as soon as nobody uses it. */
  retired: boolean;
}

/**
 * Warm sessions: opened once however many ask at the same time, opened again where the server forgot them, ended when idle.
 *
 *     absent ──use──▶ opening ──▶ warm ──idle, drop, forgotten, room needed──▶ retired ──last user leaves──▶ closed
 */
export class SessionPool {
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new Set<Promise<void>>();
  readonly #clock: () => number;
  readonly #sweeper: NodeJS.Timeout;
  #closed = false;

  constructor(private readonly options: SessionPoolOptions) {
    this.#clock = options.clock ?? (() => performance.now());
    this.#sweeper = setInterval(() => this.#endIdle(), Math.max(10, options.idleMs / 4)).unref();
  }

  /** How many sessions are open or being opened. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Runs `work` with the key's session and what is left of the deadline. If the server has forgotten the session, which proves that nothing was done,
   * a new one is opened and the work is done once more.
   * @throws {PeerFault} of opening or of the work; while opening, `sent` is `NOTHING` for the work.
   * @throws {UserFault} `OVERLOADED` when every session is in use.
   */
  async use<T>(use: PoolUse, work: (session: McpSession, timeoutMs: number) => Promise<T>): Promise<T> {
    const deadline = this.#clock() + use.timeoutMs;
    try {
      return await this.#once(use, deadline, work);
    } catch (error) {
      if (!(error instanceof SessionForgotten)) throw error;
      return this.#once(use, deadline, work);
    }
  }

  /** Ends the key's session as soon as its users are done; the next use opens a new one. */
  drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#retire(key, entry);
  }

  /** Like {@link drop}, for every key that starts with `prefix`. */
  dropPrefix(prefix: string): void {
    for (const [key, entry] of this.#entries) if (key.startsWith(prefix)) this.#retire(key, entry);
  }

  /** Ends all sessions and waits until they are ended; work that is still running keeps its session until it is done. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.dropPrefix('');
    while (this.#closing.size > 0) await Promise.all(this.#closing);
  }

  async #once<T>(use: PoolUse, deadline: number, work: (session: McpSession, timeoutMs: number) => Promise<T>): Promise<T> {
    const entry = this.#entries.get(use.key) ?? this.#enter(use);
    entry.users++;
    try {
      const session = entry.session ?? await this.#opened(entry, deadline, use.signal);
      const left = deadline - this.#clock();
      if (left <= 0) throw lateOpening();
      return await work(session, left);
    } catch (error) {
      if (error instanceof SessionForgotten) this.#retire(use.key, entry);
      throw error;
    } finally {
      entry.users--;
      entry.idleSince = this.#clock();
      if (entry.retired && entry.users === 0) this.#end(entry);
    }
  }

  #enter(use: PoolUse): Entry {
    if (this.#closed) throw new UserFault('OVERLOADED', 'This process is shutting down. Try again.', { retryable: true, retryAfterMs: 1_000 });
    this.#makeRoom();
    const { key, url, headers, secrets } = use;
    const opening = this.options.open({ url, headers, secrets, timeoutMs: this.options.openTimeoutMs });
    const entry: Entry = { opening, session: null, users: 0, idleSince: this.#clock(), retired: false };
    this.#entries.set(key, entry);
    opening.then((session) => { entry.session = session; }, () => this.#forget(key, entry));
    return entry;
  }

  /** One waiter's deadline or cancellation ends its waiting, not the opening that others wait for too. */
  async #opened(entry: Entry, deadline: number, signal: AbortSignal | undefined): Promise<McpSession> {
    if (signal?.aborted) throw new CallCancelled('NOTHING');
    const { promise, resolve, reject } = Promise.withResolvers<McpSession>();
    const timer = setTimeout(() => reject(lateOpening()), Math.max(0, deadline - this.#clock()));
    const cancel = (): void => reject(new CallCancelled('NOTHING'));
    signal?.addEventListener('abort', cancel, { once: true });
    entry.opening.then(resolve, (error: unknown) => reject(beforeWork(error)));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
    }
  }

  #makeRoom(): void {
    if (this.#entries.size < this.options.maxSessions) return;
    let longest: [string, Entry] | null = null;
    for (const pair of this.#entries) {
      const [, { users, session, idleSince }] = pair;
      if (users === 0 && session !== null && (longest === null || idleSince < longest[1].idleSince)) longest = pair;
    }
    if (longest === null) throw new UserFault('OVERLOADED', 'Too many connections are in use. Try again shortly.', { retryable: true, retryAfterMs: 1_000 });
    this.#retire(...longest);
  }

  #endIdle(): void {
    const limit = this.#clock() - this.options.idleMs;
    for (const [key, entry] of this.#entries) if (entry.users === 0 && entry.session !== null && entry.idleSince <= limit) this.#retire(key, entry);
  }

  #forget(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
  }

  #retire(key: string, entry: Entry): void {
    if (entry.retired) return;
    this.#forget(key, entry);
    entry.retired = true;
    if (entry.users === 0) this.#end(entry);
  }

  #end(entry: Entry): void {
    const closing: Promise<void> = entry.opening.then((session) => session.close(), () => undefined).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

function lateOpening(): PeerFault {
  return new PeerFault('TIMEOUT', 'The connection to the server was not ready in time.', { sent: 'NOTHING' });
}

/** Whatever opening did or didn't do at the server: of the work, nothing was sent. */
function beforeWork(error: unknown): unknown {
  if (!(error instanceof PeerFault) || error.sent !== 'MAYBE') return error;
  const { code, publicMessage, retryAfterMs, status, challenge, cause } = error;
  return new PeerFault(code, publicMessage, {
    sent: 'NOTHING', cause, ...(retryAfterMs === null ? {} : { retryAfterMs }), ...(status === null ? {} : { status }), ...(challenge === null ? {} : { challenge }),
  });
}

import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '#core/log.js';
import type { KubeClient } from './kube-client.js';
import { isKubeFault, KubeFault } from './kube-fault.js';

/** What every object has, as far as reflecting goes. */
export interface KubeObject {
  metadata: { name: string; namespace?: string; uid: string; resourceVersion: string };
}

/** What a reflector tells. Handlers must not throw, and must not take long: they note what is to be looked at. */
export interface ReflectorHandlers<T> {
  /** All that is there now, from one complete list. What isn't in it is gone. */
  listed(items: T[]): void;
  /** One object is there, in this state. */
  changed(object: T): void;
  /** One object is gone; its last state. */
  deleted(object: T): void;
  /** 404, three times in a row where it was there before: there is no such resource (any more). Says nothing about the objects. */
  resourceMissing(): void;
}

/** What {@link Reflector} is built of. */
export interface ReflectorOptions<T> {
  client: Pick<KubeClient, 'send' | 'lines'>;
  /** Of the collection. */
  path: string;
  handlers: ReflectorHandlers<T>;
  logger: Logger;
  /** From 0 to 1. */
  random: () => number;
  /** A complete list is asked for at least so often; jittered by a tenth. */
  resyncMs?: number;
  /** A watch that is silent for so long, bookmarks included, is opened anew. */
  silentMs?: number;
  pageSize?: number;
  /** The first and the longest wait after a failure. */
  backOffMs?: { first: number; longest: number };
}

interface ListAnswer<T> {
  metadata: { resourceVersion: string; continue?: string };
  items: T[];
}

type WatchEvent<T> = { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: T } | { type: 'ERROR'; object: { code?: number; reason?: string } };

const RESYNC_MS = 10 * 60_000;
const SILENT_MS = 90_000;
const PAGE = 500;
const BACK_OFF = { first: 800, longest: 30_000 };
const MISSING_LOOK_MS = 4000;
/** An API server that starts answers 404 until it has read its CRDs. */
const MISSING_AFTER = 3;
const WATCH_SECONDS = { least: 300, span: 300 };

/**
 * Follows one collection: a list in pages, then a watch with bookmarks from there, and so on for good. It never ends by itself and is never silently dead (facts on client-go's reflector):
 *
 *     list ──complete──▶ watch ──closed, silent, reset──▶ watch from the last version seen
 *      ▲                  └─410, or resync is due─┐
 *      └──────────────────────────────────────────┘        any failure: back-off with jitter, or `Retry-After`
 */
export class Reflector<T extends KubeObject> {
  readonly #options: Required<ReflectorOptions<T>>;
  readonly #ended = new AbortController();
  #work: Promise<void> | null = null;
  #failures = 0;
  #missing = 0;
  #synced = false;
  /** The last one seen, from which a watch goes on, also after a reset; null: a list is next. */
  #version: string | null = null;

  constructor(options: ReflectorOptions<T>) {
    this.#options = { resyncMs: RESYNC_MS, silentMs: SILENT_MS, pageSize: PAGE, backOffMs: BACK_OFF, ...options };
  }

  /** Whether a complete list was seen. */
  get synced(): boolean {
    return this.#synced;
  }

  start(): void {
    this.#work ??= this.#run();
  }

  /** Nothing is told any more when this resolves. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#work;
  }

  async #run(): Promise<void> {
    let listedAt = 0;
    const { signal } = this.#ended;
    while (!signal.aborted) {
      const { resyncMs, random } = this.#options;
      try {
        if (this.#version === null || performance.now() - listedAt > resyncMs * (1 - random() / 10)) {
          this.#version = await this.#list();
          listedAt = performance.now();
        }
        await this.#watch(this.#version, listedAt + resyncMs);
      } catch (error) {
        if (signal.aborted) return;
        if (isKubeFault(error, 'GONE', 'NOT_FOUND')) this.#version = null;
        await this.#failed(error);
      }
    }
  }

  /** All pages; the version that a watch goes on from. A list that ends in the middle (410) is begun anew: half of one is never told. */
  async #list(): Promise<string> {
    const { client, path, pageSize, handlers } = this.#options;
    const items: T[] = [];
    let version = '';
    let next: string | undefined;
    do {
      const query: Record<string, string> = { limit: String(pageSize), ...(next !== undefined && { continue: next }) };
      const page: ListAnswer<T> = await client.send<ListAnswer<T>>({ method: 'GET', path, query, signal: this.#ended.signal });
      items.push(...page.items);
      version = page.metadata.resourceVersion;
      next = page.metadata.continue === '' ? undefined : page.metadata.continue;
    } while (next !== undefined);
    if (this.#ended.signal.aborted) throw new KubeFault('UNREACHABLE', `GET ${path}`, null, null);
    this.#failures = 0;
    this.#missing = 0;
    handlers.listed(items);
    this.#synced = true;
    return version;
  }

  /** Until it ends. */
  async #watch(from: string, resyncAt: number): Promise<void> {
    const { client, path, random, silentMs } = this.#options;
    const seconds = Math.max(1, Math.min(WATCH_SECONDS.least + Math.floor(random() * WATCH_SECONDS.span), Math.ceil((resyncAt - performance.now()) / 1000)));
    const query = { watch: 'true', allowWatchBookmarks: 'true', resourceVersion: from, timeoutSeconds: String(seconds) };
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), silentMs);
    const opened = performance.now();
    try {
      for await (const line of client.lines({ method: 'GET', path, query, signal: AbortSignal.any([this.#ended.signal, silence.signal]) })) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), silentMs);
        if (this.#ended.signal.aborted) return;
        this.#version = this.#told(line);
        this.#failures = 0;
      }
    } catch (error) {
      if (!silence.signal.aborted || this.#ended.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
    // A server that closes each watch at once isn't asked tens of times a second.
    if (performance.now() - opened < 1000) await this.#pause(1000 * (0.5 + random() / 2));
  }

  /** The version of the event. Throws on ERROR events: 410 means that the list is to be read again. */
  #told(line: string): string {
    const { handlers, path } = this.#options;
    const event = eventOf<T>(line, path);
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED':
        handlers.changed(event.object);
        return event.object.metadata.resourceVersion;
      case 'DELETED':
        handlers.deleted(event.object);
        return event.object.metadata.resourceVersion;
      case 'BOOKMARK':
        return event.object.metadata.resourceVersion;
      default: {
        const { code = 500, reason = null } = event.object;
        throw new KubeFault(code === 410 ? 'GONE' : 'BUSY', `WATCH ${path}`, code, reason);
      }
    }
  }

  async #failed(error: unknown): Promise<void> {
    const { logger, path, handlers, random, backOffMs } = this.#options;
    if (isKubeFault(error, 'NOT_FOUND') && (++this.#missing >= MISSING_AFTER || !this.#synced)) handlers.resourceMissing();
    if (isKubeFault(error, 'GONE')) {
      logger.info({ path }, 'the watch went too far back: listing again');
      this.#failures = Math.min(this.#failures, 1);
    } else logger.warn({ path, err: error, failures: this.#failures + 1 }, 'a collection can\'t be followed now; going on');
    // A CRD that comes back is wanted soon.
    const longest = isKubeFault(error, 'NOT_FOUND') ? Math.min(MISSING_LOOK_MS, backOffMs.longest) : backOffMs.longest;
    const ceiling = Math.min(longest, backOffMs.first * 2 ** Math.min(this.#failures, 20));
    this.#failures += 1;
    const asked = isKubeFault(error) ? error.retryAfterMs : null;
    await this.#pause(asked === null ? ceiling * (0.5 + random() / 2) : asked * (1 + random() / 10));
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#ended.signal }).catch(() => undefined);
  }
}

/** Throws without the parser's own error, which quotes the line. */
function eventOf<T>(line: string, path: string): WatchEvent<T> {
  try {
    return JSON.parse(line) as WatchEvent<T>;
  } catch {
    throw new KubeFault('OTHER', `WATCH ${path}`, null, null, null, new Error('a line of the watch is no JSON'));
  }
}

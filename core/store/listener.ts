import { setTimeout as delay } from 'node:timers/promises';
import { Client, escapeIdentifier } from 'pg';
import type { Logger } from '../log.js';

/** What a listener is made of. */
export interface ListenerOptions {
  /** A `postgres://` URL. */
  url: string;
  /** By channel. A handler must not throw. */
  handlers: Record<string, (payload: string) => void>;
  /** Called when every channel is listened to (`true`), and when that has ended (`false`): notifications in between may be lost. */
  onChange: (listening: boolean) => void;
  logger: Logger;
}

const RETRY_MS = 1000;
const SIGN_OF_LIFE_MS = 5000;

/** Hears PostgreSQL's notifications on a connection of its own, which it opens again whenever it breaks. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #ended = new AbortController();
  #work: Promise<void> | null = null;
  #listening = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Whether notifications are heard now. */
  get listening(): boolean {
    return this.#listening;
  }

  /** Begins; doesn't wait for the connection. */
  start(): void {
    this.#work ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#work;
  }

  async #run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      try {
        await this.#listen();
      } catch (error) {
        if (!this.#ended.signal.aborted) this.#options.logger.warn({ err: error }, 'notifications are not heard; connecting again');
      }
      this.#set(false);
      await this.#pause(RETRY_MS);
    }
  }

  /** Returns when stopped; throws when the connection breaks. */
  async #listen(): Promise<void> {
    const client = new Client({
      connectionString: this.#options.url, application_name: 'fairlead listener', connectionTimeoutMillis: 10_000, query_timeout: SIGN_OF_LIFE_MS, keepAlive: true,
    });
    const broken = new Promise<never>((_resolve, reject) => {
      client.on('error', reject);
      client.on('end', () => reject(new Error('the connection has ended')));
    });
    broken.catch(() => undefined);
    client.on('notification', ({ channel, payload }) => this.#options.handlers[channel]?.(payload ?? ''));
    try {
      await client.connect();
      for (const channel of Object.keys(this.#options.handlers)) await client.query(`listen ${escapeIdentifier(channel)}`);
      this.#set(true);
      while (!this.#ended.signal.aborted) {
        await Promise.race([this.#pause(SIGN_OF_LIFE_MS), broken]);
        if (!this.#ended.signal.aborted) await client.query('select 1');
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  #set(listening: boolean): void {
    if (this.#listening === listening) return;
    this.#listening = listening;
    this.#options.onChange(listening);
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#ended.signal }).catch(() => undefined);
  }
}

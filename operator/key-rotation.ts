import { setTimeout as delay } from 'node:timers/promises';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Logger } from '#core/log.js';
import type { KeyPlace, StoredKey, TeamKeys } from '#core/store/team-keys.js';
import { rewrapDataKey } from '#core/vault/data-key.js';
import type { LiveKeyRing } from '#core/vault/live-key-ring.js';
import { VaultError } from '#core/vault/vault-error.js';

/** What {@link KeyRotation} is built of. */
export interface KeyRotationOptions {
  keys: Pick<TeamKeys, 'usage' | 'notWrappedBy' | 'rewrap'>;
  keyRing: LiveKeyRing;
  metrics: KeyRotationMetrics;
  logger: Logger;
  /** Data keys of one batch. */
  batch?: number;
  /** Between two batches, in milliseconds. */
  pauseMs?: number;
  /** Between two looks whether there is anything to do, in milliseconds. */
  pollMs?: number;
}

/** How far the rotation of the key-encryption key is. */
export class KeyRotationMetrics {
  readonly #dataKeys: Gauge<'key'>;
  readonly #pending: Gauge;
  readonly #rewrapped: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#dataKeys = new Gauge({ name: 'fairlead_data_keys', help: 'Teams\' data keys, by the key of the ring that wraps them.', labelNames: ['key'], registers });
    this.#pending = new Gauge({ name: 'fairlead_data_keys_to_rewrap', help: 'Data keys that another key than the first of the ring wraps.', registers });
    this.#rewrapped = new Counter({ name: 'fairlead_data_keys_rewrapped_total', help: 'Data keys that this process has wrapped anew.', registers });
  }

  /** As it was counted last. */
  counted(usage: ReadonlyMap<string, number>, pending: number): void {
    this.#dataKeys.reset();
    for (const [key, used] of usage) this.#dataKeys.set({ key }, used);
    this.#pending.set(pending);
  }

  rewrapped(dataKeys: number): void {
    this.#rewrapped.inc(dataKeys);
  }
}

const BATCH = 100;
const PAUSE_MS = 1000;
const POLL_MS = 5000;

/**
 * Wraps data keys by the first key of the ring, once everybody holds that: so many at a time, in the background. Each is one statement that holds only if nobody was faster, so that
 * any number of operators may do it, and may be killed at any point. What the data keys have sealed is not touched.
 */
export class KeyRotation {
  readonly #options: Required<KeyRotationOptions>;
  readonly #ended = new AbortController();
  #loop: Promise<void> | null = null;
  #stuck = '';

  constructor(options: KeyRotationOptions) {
    this.#options = { batch: BATCH, pauseMs: PAUSE_MS, pollMs: POLL_MS, ...options };
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      await this.#round().catch((error: unknown) => this.#options.logger.error({ err: error }, 'data keys could not be wrapped anew; it is tried again'));
      await this.#pause(this.#options.pollMs);
    }
  }

  async #round(): Promise<void> {
    const { keys, keyRing, logger } = this.#options;
    const to = keyRing.primaryId;
    const before = await this.#count(to);
    if (before === 0 || keyRing.wrapsWith !== to) return;
    const stuck = new Map<string, string>();
    let [done, after] = [0, null as KeyPlace | null];
    while (!this.#ended.signal.aborted && keyRing.wrapsWith === to) {
      const batch = await keys.notWrappedBy(to, after, this.#options.batch);
      if (batch.length === 0) break;
      if (done === 0 && after === null && stuck.size === 0) logger.info({ key: to, dataKeys: before }, 'data keys are being wrapped by the first key of the ring');
      after = batch.at(-1)!;
      const wrapped = await this.#batch(batch, to, stuck);
      done += wrapped;
      this.#options.metrics.rewrapped(wrapped);
      logger.info({ key: to, done, of: before }, 'data keys were wrapped anew');
      await this.#pause(this.#options.pauseMs);
    }
    await this.#count(to);
    this.#tellStuck(stuck);
    if (stuck.size === 0 && !this.#ended.signal.aborted) logger.info({ key: to }, 'every data key is wrapped by the first key of the ring: `fairlead keys retire` takes older ones out');
  }

  async #batch(batch: readonly StoredKey[], to: string, stuck: Map<string, string>): Promise<number> {
    const { keys, keyRing } = this.#options;
    let done = 0;
    for (const stored of batch) {
      try {
        if (await keys.rewrap(stored, rewrapDataKey(keyRing, stored.teamId, stored, to))) done += 1;
      } catch (error) {
        // One that can't be opened doesn't hold up the others.
        if (!(error instanceof VaultError)) throw error;
        stuck.set(`${stored.teamId}/${stored.version}`, error.message);
      }
    }
    return done;
  }

  /** Told when it changes, not with every round. */
  #tellStuck(stuck: ReadonlyMap<string, string>): void {
    const names = [...stuck.keys()].join();
    if (names !== this.#stuck && stuck.size > 0) this.#options.logger.error({ dataKeys: stuck.size, first: [...stuck.values()][0] }, 'data keys can\'t be opened, and stay as they are');
    this.#stuck = names;
  }

  /** How many another key wraps. */
  async #count(to: string): Promise<number> {
    const usage = await this.#options.keys.usage();
    const pending = [...usage].reduce((sum, [id, used]) => sum + (id === to ? 0 : used), 0);
    this.#options.metrics.counted(usage, pending);
    return pending;
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#ended.signal }).catch(() => undefined);
  }
}

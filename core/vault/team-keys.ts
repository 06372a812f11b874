import type { KeyObject } from 'node:crypto';
import { makeDataKey, unwrapDataKey, type DataKeyStore, type WrappedKey } from './data-key.js';
import type { LiveKeyRing } from './live-key-ring.js';
import { VaultError } from './vault-error.js';

/** A data key, unwrapped. */
export interface DataKey {
  version: number;
  key: KeyObject;
}

/** Bounds of the keys held in memory. */
export interface TeamKeysOptions {
  /** Teams whose keys are held; the one used longest ago goes first. */
  maxTeams: number;
  /** How long a key may be used before it is read again, in milliseconds: a key that was removed from the store is forgotten by then. */
  ttlMs: number;
  /** Milliseconds on a clock that doesn't jump. */
  now: () => number;
}

interface Entry {
  until: number;
  keys: Promise<Map<number, Held>>;
}

interface Held {
  wrapped: WrappedKey;
  key: KeyObject | null;
}

/**
 * The data keys of teams, unwrapped on use and held for a while. Concurrent callers share one load, and a failed load is not kept. A key is unwrapped only when it is needed,
 * so one whose key-encryption key is missing doesn't stop the others. Nothing is zeroed on eviction: a key may be in use still, and `KeyObject`s keep the bytes off the heap.
 */
export class TeamKeys {
  readonly #entries = new Map<string, Entry>();
  constructor(private readonly ring: LiveKeyRing, private readonly store: DataKeyStore, private readonly options: TeamKeysOptions) {}

  /** The newest data key of a team, made if there is none. */
  async newest(teamId: string): Promise<DataKey> {
    const keys = await this.#held(teamId);
    return this.#unwrap(teamId, keys.size > 0 ? keys.get(Math.max(...keys.keys()))! : await this.#make(teamId, keys));
  }

  /** The oldest data key of a team, made if there is none. */
  async oldest(teamId: string): Promise<DataKey> {
    const keys = await this.#held(teamId);
    return this.#unwrap(teamId, keys.size > 0 ? keys.get(Math.min(...keys.keys()))! : await this.#make(teamId, keys));
  }

  /** The data key of that version. Throws {@link VaultError} `KEY_UNKNOWN` if the team has none. */
  async version(teamId: string, version: number): Promise<DataKey> {
    let held = (await this.#held(teamId)).get(version);
    if (held === undefined) {
      // Another process may have made it since.
      this.#entries.delete(teamId);
      held = (await this.#held(teamId)).get(version);
    }
    if (held !== undefined) return this.#unwrap(teamId, held);
    throw new VaultError('KEY_UNKNOWN', `Team ${JSON.stringify(teamId)} has no data key ${version}, with which this value says it was sealed. Restore the row of the data key from a backup.`);
  }

  #held(teamId: string): Promise<Map<number, Held>> {
    const now = this.options.now();
    const entry = this.#entries.get(teamId);
    this.#entries.delete(teamId);
    const fresh = entry !== undefined && entry.until > now ? entry : { until: now + this.options.ttlMs, keys: this.#load(teamId) };
    this.#entries.set(teamId, fresh);
    if (this.#entries.size > this.options.maxTeams) this.#entries.delete(this.#entries.keys().next().value!);
    return fresh.keys;
  }

  async #load(teamId: string): Promise<Map<number, Held>> {
    try {
      return new Map((await this.store.load(teamId)).map((wrapped) => [wrapped.version, { wrapped, key: null }]));
    } catch (error) {
      this.#entries.delete(teamId);
      throw error;
    }
  }

  /** Concurrent callers may each make one; the store decides, and all of them go on with the one it names. */
  async #make(teamId: string, keys: Map<number, Held>): Promise<Held> {
    const wrapped = await this.store.insert(teamId, makeDataKey(this.ring, teamId, 1));
    const held = keys.get(wrapped.version) ?? { wrapped, key: null };
    keys.set(wrapped.version, held);
    return held;
  }

  async #unwrap(teamId: string, held: Held): Promise<DataKey> {
    held.key ??= await this.#unwrapped(teamId, held);
    return { version: held.wrapped.version, key: held.key };
  }

  /** A key-encryption key that isn't known may have come to the ring since; and one that has left it wraps nothing any more, so the data key is wrapped by another one by now. */
  async #unwrapped(teamId: string, held: Held): Promise<KeyObject> {
    try {
      return unwrapDataKey(this.ring, teamId, held.wrapped);
    } catch (error) {
      if (!(error instanceof VaultError) || error.code !== 'KEY_UNKNOWN') throw error;
      // A file that can't be read now is reported by who reads it regularly; here it is the missing key that is told.
      await this.ring.refresh().catch(() => false);
      held.wrapped = (await this.store.load(teamId)).find((stored) => stored.version === held.wrapped.version) ?? held.wrapped;
      return unwrapDataKey(this.ring, teamId, held.wrapped);
    }
  }
}

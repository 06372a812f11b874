import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { VaultError } from './vault-error.js';

/** Bytes of every key here: AES-256. */
export const KEY_BYTES = 32;

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
const HOW = 'Write entries as id:base64, with 32 random bytes; `fairlead keys generate` makes one.';

/**
 * The key-encryption keys of an installation, by id. The first is the primary: it wraps data keys; the others only open what they wrapped.
 * To rotate, put a new entry in front (`fairlead keys rotate`) and keep the old ones until `fairlead keys retire` takes them out. Keys are held as `KeyObject`s, so that printing a ring shows none.
 */
export class KeyRing {
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly primaryId: string;

  private constructor(keys: ReadonlyMap<string, KeyObject>, primaryId: string) {
    this.#keys = keys;
    this.primaryId = primaryId;
  }

  /**
   * Reads `id:base64(32 bytes)` entries, separated by commas or line breaks; blank entries are skipped. Ids are 1–32 of `A-Za-z0-9._-`.
   * Throws {@link VaultError} `KEYS_INVALID` with all faults at once. Faults name entries by position and id, and quote nothing that may be a key.
   */
  static parse(text: string): KeyRing {
    const faults: string[] = [];
    const keys = new Map<string, KeyObject>();
    const idOfKey = new Map<string, string>();
    let position = 0;
    for (const entry of text.split(/[,\r\n]/)) {
      if (entry.trim() === '') continue;
      position += 1;
      const parsed = parseEntry(entry.trim(), position, faults);
      if (parsed === null) continue;
      const twin = idOfKey.get(parsed.material);
      if (keys.has(parsed.id)) faults.push(`Entry ${position}: the id ${parsed.id} is used twice. Give each key an id of its own.`);
      else if (twin !== undefined) faults.push(`Entry ${position}: ${parsed.id} holds the same key as ${twin}. Remove one of them.`);
      idOfKey.set(parsed.material, parsed.id);
      keys.set(parsed.id, createSecretKey(parsed.material, 'base64'));
    }
    if (position === 0) faults.push(`There is no key. ${HOW}`);
    const primaryId = keys.keys().next().value;
    if (faults.length > 0 || primaryId === undefined) throw new VaultError('KEYS_INVALID', `The key ring is not usable. ${faults.join(' ')}`, { faults });
    return new KeyRing(keys, primaryId);
  }

  /** A new entry for a ring's text: an id with the date and a random end, and 32 random bytes. */
  static generateEntry(now: Date = new Date()): string {
    const day = now.toISOString().slice(0, 10).replaceAll('-', '');
    return `k${day}-${randomBytes(4).toString('hex')}:${randomBytes(KEY_BYTES).toString('base64')}`;
  }

  /** Ids in the order of the ring, the primary first. */
  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /** The key of that id. Throws {@link VaultError} `KEY_UNKNOWN` that says which id to restore. */
  key(id: string): KeyObject {
    const key = this.#keys.get(id);
    if (key !== undefined) return key;
    const have = this.ids.join(', ');
    throw new VaultError('KEY_UNKNOWN', `The key ring lacks the key ${JSON.stringify(id)}, it holds ${have}. Put the entry of that id back into the ring, after the primary.`);
  }
}

function parseEntry(entry: string, position: number, faults: string[]): { id: string; material: string } | null {
  const colon = entry.indexOf(':');
  if (colon < 0) {
    faults.push(`Entry ${position}: there is no id before the key. ${HOW}`);
    return null;
  }
  const id = entry.slice(0, colon).trim();
  const material = entry.slice(colon + 1).trim();
  if (!ID.test(id)) {
    faults.push(`Entry ${position}: the id must be 1 to 32 letters, digits, dots, dashes or underscores, and begin with a letter or digit.`);
    return null;
  }
  const bytes = Buffer.from(material, 'base64');
  // Compared with what it decodes to, because Node's decoder skips over whatever isn't base64.
  if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== material) {
    faults.push(`Entry ${position}: the key of ${id} is not ${KEY_BYTES} bytes in base64. Make one with \`openssl rand -base64 ${KEY_BYTES}\`.`);
    return null;
  }
  if (bytes.every((byte) => byte === bytes[0])) {
    faults.push(`Entry ${position}: the key of ${id} is one byte repeated, not a random key. Make one with \`openssl rand -base64 ${KEY_BYTES}\`.`);
    return null;
  }
  return { id, material };
}

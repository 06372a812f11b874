import { createHmac } from 'node:crypto';
import { AEAD_OVERHEAD, decrypt, encrypt } from './aead.js';
import { encodeContext, type SealContext } from './context.js';
import type { DataKeyStore } from './data-key.js';
import { deriveKey } from './derive.js';
import { KeyRing } from './key-ring.js';
import { LiveKeyRing } from './live-key-ring.js';
import { TeamKeys, type TeamKeysOptions } from './team-keys.js';
import { VaultError } from './vault-error.js';

const MAGIC = 0xf1;
const FORMAT = 1;
const HEADER_BYTES = 6;

/**
 * Seals values so that they open only where they were put: for that team, table, column, row, version and whatever else the context names.
 *
 * Envelope: each team has a random data key, stored wrapped by a key-encryption key of the ring (which names its id). A sealed value is
 * `0xf1 | format (1) | data key version (4) | nonce (12) | ciphertext | tag (16)`, AES-256-GCM with the context as additional data.
 *
 * Limits ({@link https://doi.org/10.6028/NIST.SP.800-38D NIST SP 800-38D}, section 8.3: 2^32 random nonces per key): a team that seals arguments and results
 * of 200 calls a second would get there in four months, so a value isn't encrypted under the data key but under one derived from it and the context. That key
 * serves the writings of one version of one cell, so the limit is out of reach. The length of a value shows in its sealed form, by design.
 */
export class Vault {
  readonly #keys: TeamKeys;
  /** @param ring a plain one stays as it is */
  constructor(ring: KeyRing | LiveKeyRing, store: DataKeyStore, options: Partial<TeamKeysOptions> = {}) {
    this.#keys = new TeamKeys(ring instanceof KeyRing ? new LiveKeyRing(ring) : ring, store, { maxTeams: 1000, ttlMs: 300_000, now: () => performance.now(), ...options });
  }

  /** Seals a value (strings as UTF-8); the team's data key is made if this is its first. Throws {@link VaultError} if the newest data key can't be used. */
  async seal(teamId: string, context: SealContext, plaintext: Buffer | string): Promise<Buffer> {
    const { version, key } = await this.#keys.newest(teamId);
    const additional = encodeContext(teamId, version, context);
    const bytes = typeof plaintext === 'string' ? Buffer.from(plaintext, 'utf8') : plaintext;
    const header = Buffer.from([MAGIC, FORMAT, 0, 0, 0, 0]);
    header.writeUInt32BE(version, 2);
    return Buffer.concat([header, encrypt(deriveKey(key, 'fairlead/seal', additional), bytes, additional)]);
  }

  /**
   * Opens what {@link seal} made with the same team and context. Throws {@link VaultError}: `FORMAT` for what was never sealed or is cut short, `KEY_UNKNOWN`
   * for a key that is missing, `TAMPERED_OR_MOVED` for all else; it never answers with altered bytes.
   */
  async open(teamId: string, context: SealContext, sealed: Buffer): Promise<Buffer> {
    const what = `The sealed value of ${context.table}.${context.column}, row ${context.rowId}, version ${context.version},`;
    if (sealed.length < HEADER_BYTES + AEAD_OVERHEAD || sealed[0] !== MAGIC) throw new VaultError('FORMAT', `${what} is not a sealed value, or was cut short.`);
    if (sealed[1] !== FORMAT) throw new VaultError('FORMAT', `${what} has format ${sealed[1]}, which this program doesn't know. A newer program may have written it.`);
    const { version, key } = await this.#keys.version(teamId, sealed.readUInt32BE(2));
    const additional = encodeContext(teamId, version, context);
    return decrypt(deriveKey(key, 'fairlead/seal', additional), sealed.subarray(HEADER_BYTES), additional, what);
  }

  /**
   * A 32-byte keyed hash (HMAC-SHA-256) by which texts of one team can be compared without storing them: request hashes, secrets of a manifest. Without the
   * data key a guess can't be tried against it, as it could against a plain hash. Equal texts have equal hashes within a team, for as long as the team's oldest data key is the same; so
   * begin the text with what it is for, and compare with `timingSafeEqual` what comes from outside. Not for passwords to log in with.
   */
  async keyedHash(teamId: string, text: string): Promise<Buffer> {
    const { key } = await this.#keys.oldest(teamId);
    return createHmac('sha256', deriveKey(key, 'fairlead/hash', Buffer.from(teamId, 'utf8'))).update(text, 'utf8').digest();
  }
}

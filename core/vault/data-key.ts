import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { decrypt, encrypt } from './aead.js';
import { encodeFields } from './context.js';
import { KEY_BYTES } from './key-ring.js';
import type { LiveKeyRing } from './live-key-ring.js';
import { VaultError } from './vault-error.js';

/** A team's data key as it is stored: wrapped by the key-encryption key that `kekId` names. */
export interface WrappedKey {
  /** 1 and up; values name the version that they were sealed with. */
  version: number;
  kekId: string;
  /** `format (1) | nonce (12) | wrapped key (32) | tag (16)`. */
  wrapped: Buffer;
}

/** Where wrapped data keys are kept. Rows are added, and wrapped anew; the data key in them stays. */
export interface DataKeyStore {
  /** All of a team's data keys, in any order; none for a team that hasn't sealed anything. */
  load(teamId: string): Promise<readonly WrappedKey[]>;
  /** Adds a data key; the answer is the one that counts: another process may have stored that version first. */
  insert(teamId: string, key: WrappedKey): Promise<WrappedKey>;
}

const FORMAT = 1;

/** Makes a random data key, wrapped by the key that the ring wraps with now and bound to team, version and key id. One random nonce per data key: far from the limit of 2^32 per key. */
export function makeDataKey(ring: LiveKeyRing, teamId: string, version: number): WrappedKey {
  return wrap(ring, teamId, version, ring.wrapsWith, randomBytes(KEY_BYTES));
}

/** The same data key, wrapped by the key of another id. Throws as {@link unwrapDataKey}. */
export function rewrapDataKey(ring: LiveKeyRing, teamId: string, key: WrappedKey, kekId: string): WrappedKey {
  return wrap(ring, teamId, key.version, kekId, unwrapDataKey(ring, teamId, key).export());
}

function wrap(ring: LiveKeyRing, teamId: string, version: number, kekId: string, dataKey: Buffer): WrappedKey {
  const sealed = encrypt(ring.key(kekId), dataKey, binding(teamId, version, kekId));
  return { version, kekId, wrapped: Buffer.concat([Buffer.from([FORMAT]), sealed]) };
}

/** Unwraps a data key. Throws {@link VaultError}: `KEY_UNKNOWN` if the ring lacks its key, `TAMPERED_OR_MOVED`, `FORMAT`. */
export function unwrapDataKey(ring: LiveKeyRing, teamId: string, key: WrappedKey): KeyObject {
  const what = `Data key ${key.version} of team ${JSON.stringify(teamId)} (wrapped by ${JSON.stringify(key.kekId)})`;
  if (key.wrapped[0] !== FORMAT) throw new VaultError('FORMAT', `${what} has a format that this program doesn't know. A newer program may have written it.`);
  const kek = ring.key(key.kekId);
  try {
    return createSecretKey(decrypt(kek, key.wrapped.subarray(1), binding(teamId, key.version, key.kekId), what));
  } catch (error) {
    if (!(error instanceof VaultError) || error.code !== 'TAMPERED_OR_MOVED') throw error;
    throw new VaultError('TAMPERED_OR_MOVED', `${what} can't be unwrapped: it was altered, or the ring's key of that id is not the one it was wrapped with. Put the original key back.`, { cause: error });
  }
}

function binding(teamId: string, version: number, kekId: string): Buffer {
  return encodeFields(['fairlead/data-key/1', teamId, String(version), kekId]);
}

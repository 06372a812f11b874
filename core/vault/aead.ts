import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto';
import { VaultError } from './vault-error.js';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What {@link encrypt} adds to a plaintext, in bytes. */
export const AEAD_OVERHEAD = NONCE_BYTES + TAG_BYTES;

/**
 * AES-256-GCM with a random nonce: `nonce (12) | ciphertext | tag (16)`.
 * Random 96-bit nonces allow 2^32 encryptions under one key before a collision becomes likelier than 2^-32
 * ({@link https://doi.org/10.6028/NIST.SP.800-38D NIST SP 800-38D}, section 8.3): callers choose their keys so that this is never near.
 */
export function encrypt(key: KeyObject, plaintext: Buffer, additional: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(additional);
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** Opens what {@link encrypt} made. Throws {@link VaultError} `FORMAT` if it is too short, `TAMPERED_OR_MOVED` if key, bytes or additional data differ. */
export function decrypt(key: KeyObject, sealed: Buffer, additional: Buffer, what: string): Buffer {
  if (sealed.length < AEAD_OVERHEAD) throw new VaultError('FORMAT', `${what} is cut short.`);
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(additional);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plaintext = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
  try {
    return Buffer.concat([plaintext, decipher.final()]);
  } catch (error) {
    throw new VaultError('TAMPERED_OR_MOVED', `${what} was altered, or is not where it was put.`, { cause: error });
  }
}

import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

/**
 * A 256-bit key for one purpose and context from another key: one block of the counter-mode KDF with HMAC-SHA-256,
 * `HMAC(key, 1 | label | 0x00 | context | 256)` with 32-bit numbers.
 * {@link https://doi.org/10.6028/NIST.SP.800-108r1-upd1 NIST SP 800-108r1, section 4.1}
 */
export function deriveKey(key: KeyObject, label: string, context: Buffer): KeyObject {
  const mac = createHmac('sha256', key);
  mac.update(Buffer.from([0, 0, 0, 1])).update(label, 'utf8').update(Buffer.from([0])).update(context).update(Buffer.from([0, 0, 1, 0]));
  return createSecretKey(mac.digest());
}

import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { IdentityFault } from './identity-fault.js';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 32 bytes in base 62. */
const BODY_LENGTH = 43;
/** A CRC-32 in base 62. */
const CHECK_LENGTH = 6;
const SHAPE = new RegExp(`^flt_([0-9A-Za-z]{${BODY_LENGTH}})([0-9A-Za-z]{${CHECK_LENGTH}})$`);

/** What is kept of a Fairlead token. */
export interface TokenDigest {
  /** SHA-256 of the whole token. */
  hash: Buffer;
  /** Its first 12 characters, to tell tokens apart in lists. */
  prefix: string;
}

/**
 * Makes a new token: `flt_`, 256 random bits, and a checksum, in letters and digits only (a double click selects it, scanners for
 * leaked secrets know it). `secret` is shown once; only the digest is ever stored. No salt or slow hash: 256 random bits can't be guessed.
 */
export function mintToken(): TokenDigest & { secret: string } {
  const body = base62(BigInt(`0x${randomBytes(32).toString('hex')}`), BODY_LENGTH);
  const secret = `flt_${body}${checksum(body)}`;
  return { secret, ...digest(secret) };
}

/** True when `text` means to be a Fairlead token, well-formed or not. */
export function isFairleadToken(text: string): boolean {
  return text.startsWith('flt_');
}

/**
 * The digest to look a presented token up by. Throws {@link IdentityFault} UNAUTHENTICATED when it is mistyped or cut off, before anything
 * is asked of the database. Looking up by hash needs no constant-time comparison: whoever measures how far an index search got learns about
 * the hash of a token they chose, and can't steer hashes towards a stored one.
 */
export function parseToken(text: string): TokenDigest {
  const [, body, check] = SHAPE.exec(text) ?? [];
  if (body === undefined || check !== checksum(body)) {
    throw new IdentityFault('UNAUTHENTICATED', 'The Fairlead token is mistyped or cut off. Copy it again, whole, or create a new one.', { internal: 'token checksum' });
  }
  return digest(text);
}

function digest(secret: string): TokenDigest {
  return { hash: createHash('sha256').update(secret).digest(), prefix: secret.slice(0, 12) };
}

function checksum(body: string): string {
  return base62(BigInt(crc32(body)), CHECK_LENGTH);
}

function base62(number: bigint, length: number): string {
  let text = '';
  for (let rest = number; rest > 0n; rest /= 62n) text = ALPHABET[Number(rest % 62n)] + text;
  return text.padStart(length, '0');
}

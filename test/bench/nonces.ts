import { createHash } from 'node:crypto';

/**
 * The credential that a login calls with. It follows from the login's name, and so does what its nonces begin with: so the server can tell, for each
 * call, whether it came with the credential of the login that made it.
 */
export function credentialOf(login: string): string {
  return `bench-${createHash('sha256').update(login).digest('hex').slice(0, 32)}`;
}

let sequence = 0;

/** A nonce that no other call has which this process makes; a login's calls are made by one process. */
export function nextNonce(login: string): string {
  return `${login}:${sequence++}`;
}

/** A large result: rows as a database gives them, about a mebibyte with what is around it on the wire. */
const ROWS = Array.from({ length: 9_450 }, (_, row) => JSON.stringify({ id: row, name: `item ${row}`, price: row / 7, stock: [row % 3, row % 5], note: 'kept "dry"' })).join('\n');

/** What a tool answers to these arguments, as text. */
export function resultOf(args: { nonce: string; large?: boolean }): string {
  return args.large === true ? `${args.nonce}\n${ROWS}` : JSON.stringify(args);
}

/** Whose nonce it is. */
export function loginOf(nonce: string): string {
  return nonce.slice(0, nonce.lastIndexOf(':'));
}

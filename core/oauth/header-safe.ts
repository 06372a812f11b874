/** What HTTP servers take of headers altogether (Node: 16 KiB, nginx and Apache: 8). */
const MAX_LENGTH = 16_384;

/** Whether a token that a peer chose can be sent in a header: VSCHAR without the space, and no longer than any server takes. Otherwise `fetch` would throw, and quote it. https://www.rfc-editor.org/rfc/rfc6749#appendix-A.12 */
export function isHeaderSafe(token: string): boolean {
  return token.length <= MAX_LENGTH && /^[\x21-\x7e]+$/.test(token);
}

/** Whether a token that a peer chose can be sent in a header: VSCHAR without the space. Otherwise `fetch` would throw, and quote it. https://www.rfc-editor.org/rfc/rfc6749#appendix-A.12 */
export function isHeaderSafe(token: string): boolean {
  return /^[\x21-\x7e]+$/.test(token);
}

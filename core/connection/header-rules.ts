/**
 * Which header names and values a connection type may send (design section 4).
 * Names are tokens of RFC 9110 section 5.1 (https://www.rfc-editor.org/rfc/rfc9110#section-5.1).
 */

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;

/** Hop-by-hop and framing fields, and those that belong to HTTP, proxies or MCP itself; lower case. */
export const REFUSED_HEADER_NAMES: ReadonlySet<string> = new Set([
  'host', 'connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect', 'via', 'date',
  'cookie', 'cookie2', 'set-cookie', 'forwarded', 'last-event-id', 'http2-settings', 'origin', 'referer', 'user-agent',
]);
/** What the names of other such fields begin with. */
export const REFUSED_HEADER_PREFIXES: readonly string[] = ['content-', 'accept', 'proxy-', 'x-forwarded-', 'mcp-', 'sec-', ':'];

/** Why `name` can't be used as a credential header, or null when it can. */
export function headerNameFault(name: string): string | null {
  if (!TOKEN.test(name)) return 'A header name is 1 to 128 letters, digits or !#$%&\'*+-.^_`|~ (RFC 9110), for example X-Api-Key.';
  const lower = name.toLowerCase();
  if (REFUSED_HEADER_NAMES.has(lower) || REFUSED_HEADER_PREFIXES.some((prefix) => lower.startsWith(prefix))) {
    return 'This header belongs to HTTP, proxies or MCP itself and can\'t be set; use the header that the server documents for its key.';
  }
  return null;
}

/**
 * Why `value` can't be sent as a header's value, or null when it can.
 * Control characters and anything outside visible ASCII, space and tab are refused; 8 KiB at the most.
 */
export function headerValueFault(value: string): string | null {
  if (value.length > 8192) return 'A header value has at most 8,192 characters.';
  if (!/^[\x20-\x7e\t]*$/.test(value)) return 'A header value holds printable ASCII only: no line breaks, control characters or letters outside ASCII.';
  if (value !== value.trim()) return 'A header value doesn\'t begin or end with white space.';
  return null;
}

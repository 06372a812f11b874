import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/**
 * The CSRF token of a form: made from the browser's pre-cookie and the link, so that it is worth nothing in another browser and for another link.
 * https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html#signed-double-submit-cookie-recommended
 */
export function csrfToken(preCookie: string, link: string): string {
  return createHmac('sha256', preCookie).update(`fairlead/consent/${link}`).digest('base64url');
}

/** Whether a form came with the token that its page had, in constant time. */
export function isCsrfToken(given: string | null, preCookie: string | undefined, link: string): boolean {
  if (given === null || preCookie === undefined) return false;
  const expected = Buffer.from(csrfToken(preCookie, link));
  const actual = Buffer.from(given);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/**
 * Whether a POST came from a page of ours. Our pages have no referrer, so that browsers send `Origin: null` with their forms (Fetch standard, "append a request `Origin` header"); there `Sec-Fetch-Site`
 * tells. Browsers leave that out towards plain HTTP on other hosts than loopback, where only the CSRF token remains. Programs send neither; they carry nobody's cookies.
 * https://w3c.github.io/webappsec-fetch-metadata/#sec-fetch-site-header , https://fetch.spec.whatwg.org/#append-a-request-origin-header
 */
export function isSameOrigin(headers: IncomingHttpHeaders, publicUrl: string): boolean {
  const site = headers['sec-fetch-site'];
  const { origin } = headers;
  const own = new URL(publicUrl);
  const silent = origin === undefined || origin === 'null';
  if (site !== undefined) return site === 'same-origin' && (silent || origin === own.origin);
  if (origin === 'null') return own.protocol === 'http:';
  return origin === undefined || origin === own.origin;
}

import { EgressError } from './errors.js';
import type { Answer } from './exchange.js';

/** The redirects of [RFC 9110, section 15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4) that mean "ask there instead". */
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const ALWAYS_CREDENTIALS: readonly string[] = ['authorization', 'cookie', 'proxy-authorization'];

/** Whether an answer sends us elsewhere. */
export function isRedirect(answer: Pick<Answer, 'status'>): boolean {
  return REDIRECTS.includes(answer.status);
}

/**
 * Where a redirect sends us, without its fragment.
 * @throws {EgressError} `REDIRECT` if there is no usable `Location`
 */
export function redirectTarget(answer: Pick<Answer, 'status' | 'headers'>, from: URL): URL {
  const { location } = answer.headers;
  const target = typeof location === 'string' ? URL.parse(location, from.href) : null;
  if (!target) throw new EgressError('REDIRECT', `${from.origin} answered ${answer.status} without a usable Location`, { sent: 'MAYBE' });
  target.hash = '';
  return target;
}

/** The headers that may go to another origin. */
export function withoutCredentials(headers: Record<string, string> | undefined, credentialHeaders: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => {
    const lower = name.toLowerCase();
    return !ALWAYS_CREDENTIALS.includes(lower) && !credentialHeaders.includes(lower);
  }));
}

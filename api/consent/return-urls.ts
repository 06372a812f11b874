import { UserFault } from '#core/errors.js';
import { nodeId } from '../graphql/node-id.js';
import { isLoopbackOrigin } from '../http/request-guard.js';

/** How a consent ended, for the page that people come back to. */
export type ConsentOutcome = 'READY' | 'DENIED' | 'FAILED' | 'EXPIRED';

/** Where people may be sent back to: our own origin, those that are configured, and in local mode any of this machine. */
export class ReturnUrls {
  constructor(private readonly options: { publicUrl: () => string; origins: readonly string[]; localMode: boolean }) {}

  /** The URL in its normal form; null stays null. Throws {@link UserFault} INVALID. */
  check(returnUrl: string | null, field = ['input', 'returnUrl']): string | null {
    if (returnUrl === null) return null;
    const refuse = (message: string) => new UserFault('INVALID', message, { field });
    const url = URL.parse(returnUrl);
    if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || returnUrl.length > 2_000) {
      throw refuse('Enter an absolute http(s) URL of at most 2,000 characters to come back to, or leave "returnUrl" out.');
    }
    if (url.username !== '' || url.password !== '') throw refuse('Leave credentials out of "returnUrl".');
    if (!this.#allows(url.origin)) throw refuse('People may not be sent back to this origin: an operator can allow it in FAIRLEAD_RETURN_URLS.');
    return url.href;
  }

  #allows(origin: string): boolean {
    const { publicUrl, origins, localMode } = this.options;
    return origin === new URL(publicUrl()).origin || origins.includes(origin) || (localMode && isLoopbackOrigin(origin));
  }
}

/** The return URL with what became of the consent: `fairlead_enrollment` (global id) and `fairlead_outcome`. */
export function withOutcome(returnUrl: string, enrollmentId: string, outcome: ConsentOutcome): string {
  const url = new URL(returnUrl);
  url.searchParams.set('fairlead_enrollment', nodeId('Enrollment', enrollmentId));
  url.searchParams.set('fairlead_outcome', outcome);
  return url.href;
}

import type { Observation } from '../connection/condition.js';
import type { OAuthFault } from '../oauth/fault.js';
import { refreshBackoff } from '../oauth/refresh-plan.js';
import type { OAuthGrant } from '../store/entities/oauth-grant.entity.js';
import { NO_ATTEMPT, type GrantValues } from '../store/oauth-grants.js';
import { CLIENT_REFUSED, CONSENT_REQUIRED, freshness, outcomeUnknown, over, refreshFailed } from './oauth-tokens-observations.js';

/** What the end of a presentation is judged from. */
export interface FailedPresentation {
  fault: OAuthFault;
  grant: Pick<OAuthGrant, 'failedRefreshes' | 'outcomeUnknownAt'>;
  /** Whether the access token can still be used. */
  alive: boolean;
  /** The database's. */
  now: Date;
  /** From 0 to 1. */
  jitter: number;
}

/** What a failed presentation means for the grant and its conditions. */
export interface FailedOutcome {
  values: GrantValues;
  observations: Observation[];
}

const AGAIN = 'Sign in again with startAuthorization.';
/** The provider took the second presentation for a theft, or had given out another token by then. */
const AFTER_LOSS = 'The provider\'s answer to an earlier refresh was lost, and it refused the next one. ';

/**
 * Judges a failed presentation. Pure.
 *
 * | the answer | |
 * |---|---|
 * | says that the refresh token is dead | only consent helps |
 * | came, and can't be used | the token isn't presented again: none follows an answer that was received |
 * | is lost | once more, after the access token has ended; a second time, only consent helps |
 * | refuses the client | the token wasn't looked at: it may be presented when the client is right again, but not by itself |
 * | proves that nothing was consumed | tried again, later and later |
 */
export function failedOutcome({ fault, grant, alive, now, jitter }: FailedPresentation): FailedOutcome {
  const failedRefreshes = grant.failedRefreshes + 1;
  const later: GrantValues = { ...NO_ATTEMPT, failedRefreshes, nextAttemptAt: refreshBackoff(now, failedRefreshes, fault.retryAfterMs, jitter) };
  const never: GrantValues = { ...NO_ATTEMPT, failedRefreshes, nextAttemptAt: null, refreshAt: null, refreshable: false };
  const { code, publicMessage: words } = fault;
  switch (code) {
    case 'INVALID_GRANT':
      return { values: never, observations: over(CONSENT_REQUIRED, `${grant.outcomeUnknownAt === null ? '' : AFTER_LOSS}${words} ${AGAIN}`) };
    case 'INVALID_ANSWER':
      return { values: never, observations: alive ? [freshness(never, words)] : over(CONSENT_REQUIRED, `${words} ${AGAIN}`) };
    case 'OUTCOME_UNKNOWN':
      if (grant.outcomeUnknownAt !== null) return { values: never, observations: over(CONSENT_REQUIRED, secondLoss(words)) };
      return { values: { ...later, outcomeUnknownAt: now }, observations: outcomeUnknown(alive) };
    case 'INVALID_CLIENT':
      return { values: later, observations: over(CLIENT_REFUSED, `${words} ${AGAIN}`) };
    case 'REFUSED':
    case 'ACCESS_DENIED':
      return { values: later, observations: alive ? refreshFailed(true, words) : over(CONSENT_REQUIRED, `${words} ${AGAIN}`) };
    default:
      return { values: later, observations: refreshFailed(alive, words) };
  }
}

/** Why the refresh token isn't presented a third time. */
export function secondLoss(words = ''): string {
  return `${words} The provider's answers to two refreshes were lost, so the refresh token is not presented again. ${AGAIN}`.trim();
}

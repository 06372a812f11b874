import type { OAuthGrant } from '../store/entities/oauth-grant.entity.js';

/**
 * Why a login is looked at.
 *
 * | | |
 * |---|---|
 * | `USE` | a call wants a token that works now |
 * | `REFUSED` | the server has refused the present one, whatever its expiry says |
 * | `DUE` | its refresh may be due |
 * | `ROTATE` | a person wants a new one now |
 */
export type RefreshIntent = 'USE' | 'REFUSED' | 'DUE' | 'ROTATE';

/** What the decision is made from: the grant, and the time by the same clock. */
export interface RefreshFacts {
  grant: Pick<OAuthGrant, 'attemptId' | 'attemptUntil' | 'expiresAt' | 'nextAttemptAt' | 'obtainedAt' | 'outcomeUnknownAt' | 'refreshAt' | 'refreshable'>;
  now: Date;
  intent: RefreshIntent;
}

/**
 * What to do with a login.
 *
 * | | |
 * |---|---|
 * | `USE` | the access token as it is |
 * | `WAIT` | another presents the refresh token: look again soon |
 * | `LOST` | whoever presented it is gone, and the answer with them: put that on record, then look again |
 * | `PRESENT` | the refresh token |
 * | `BACK_OFF` | the provider failed a moment ago: not before `nextAttemptAt` |
 * | `CONSENT` | only its owner can go on |
 */
export type RefreshDecision = 'USE' | 'WAIT' | 'LOST' | 'PRESENT' | 'BACK_OFF' | 'CONSENT';

/** Design section 7, "Refresh", as one function. */
export function decideRefresh({ grant, now, intent }: RefreshFacts): RefreshDecision {
  const alive = intent !== 'REFUSED' && accessTokenAlive(grant, now);
  if (grant.attemptId !== null) {
    if (grant.attemptUntil! <= now) return 'LOST';
    return alive && intent !== 'ROTATE' ? 'USE' : 'WAIT';
  }
  if (!grant.refreshable) return alive ? 'USE' : 'CONSENT';
  const backingOff = grant.nextAttemptAt !== null && grant.nextAttemptAt > now;
  if (alive) {
    // An answer was lost: the access token is used while it lives, and only then is the refresh token presented once more.
    if (intent === 'USE' || grant.outcomeUnknownAt !== null) return 'USE';
    if (intent === 'DUE' && (backingOff || grant.refreshAt === null || grant.refreshAt > now)) return 'USE';
    return 'PRESENT';
  }
  return backingOff && intent !== 'ROTATE' ? 'BACK_OFF' : 'PRESENT';
}

/** A token isn't sent any more when it would expire on its way: this long before its end, or a tenth of its life where that is less. */
const MAX_LEEWAY_MS = 10_000;
/** Nor in its last second: issuers count in whole ones, and round down. */
const MIN_LEEWAY_MS = 1000;

/** When an access token stops being sent, by the clock of the grant; null: never by the clock, only by a refusal. */
export function usableUntil({ expiresAt, obtainedAt }: Pick<OAuthGrant, 'expiresAt' | 'obtainedAt'>): Date | null {
  if (expiresAt === null) return null;
  const lifetime = Math.max(0, expiresAt.getTime() - (obtainedAt ?? expiresAt).getTime());
  return new Date(expiresAt.getTime() - Math.min(MAX_LEEWAY_MS, lifetime / 2, Math.max(MIN_LEEWAY_MS, lifetime / 10)));
}

/** Whether the access token can still be sent. */
export function accessTokenAlive(grant: Pick<OAuthGrant, 'expiresAt' | 'obtainedAt'>, now: Date): boolean {
  const until = usableUntil(grant);
  return until === null || now < until;
}

const MINUTE = 60_000;
/** Between two refreshes of one login, however short its life. */
const MIN_GAP = 5_000;

/** What the plan is made from. */
export interface RefreshPlanFacts {
  expiresAt: Date | null;
  obtainedAt: Date;
  /** The last refresh or attempt; null where there was none since the tokens were obtained. */
  lastAttempt: Date | null;
  /** From 0 to 1, drawn once for these tokens. */
  jitter: number;
}

/**
 * When to refresh: at `expiresAt - min(max(60 s, a third of the lifetime), half of the lifetime)`, earlier by up to a tenth of the lifetime, never sooner than 5 s after the last;
 * null where nothing says when the token expires, which is then refreshed on demand.
 */
export function refreshPlan({ expiresAt, obtainedAt, lastAttempt, jitter }: RefreshPlanFacts): Date | null {
  if (expiresAt === null) return null;
  const lifetime = Math.max(0, expiresAt.getTime() - obtainedAt.getTime());
  const margin = Math.min(Math.max(MINUTE, lifetime / 3), lifetime / 2);
  const planned = expiresAt.getTime() - margin - jitter * (lifetime / 10);
  const last = Math.max(obtainedAt.getTime(), lastAttempt?.getTime() ?? 0);
  return new Date(Math.max(planned, last + MIN_GAP));
}

/**
 * When to try again after the `failures`-th failure in a row: 5 s, doubled each time up to five minutes, not before what the server asked for (at most an hour), later by up to a tenth.
 * @param jitter from 0 to 1
 */
export function refreshBackoff(now: Date, failures: number, retryAfterMs: number | null, jitter: number): Date {
  const wait = Math.max(Math.min(MIN_GAP * 2 ** Math.min(Math.max(failures - 1, 0), 10), 5 * MINUTE), Math.min(retryAfterMs ?? 0, 60 * MINUTE));
  return new Date(now.getTime() + wait * (1 + jitter / 10));
}

/** When to renew a client whose secret expires: a third of its life before the end, but not more than a week; never sooner than an hour after the last attempt; null where it doesn't expire. */
export function secretRenewalPlan(expiresAt: Date | null, obtainedAt: Date, lastAttempt: Date | null): Date | null {
  if (expiresAt === null) return null;
  const lifetime = Math.max(0, expiresAt.getTime() - obtainedAt.getTime());
  const planned = expiresAt.getTime() - Math.min(lifetime / 3, 7 * 24 * 60 * MINUTE);
  return new Date(lastAttempt === null ? planned : Math.max(planned, lastAttempt.getTime() + 60 * MINUTE));
}

import { condition, type Condition } from '#core/connection/condition.js';
import { usableUntil } from '#core/upkeep/oauth-tokens-decision.js';
import { INSUFFICIENT_SCOPE } from '#core/upkeep/oauth-tokens-observations.js';
import { jittered } from '../../runtime/back-off.js';
import type { CredentialKind, Grant } from './facts.js';

/** Everything that the policies of an enrollment decide by. Plain data; times are the database's. */
export interface EnrollmentFacts {
  kind: CredentialKind;
  /** Whether there is a credential to use. */
  holdsCredential: boolean;
  /** The type goes elsewhere than its owner confirmed. */
  suspended: boolean;
  conditions: readonly Condition[];
  /** When the server last answered to it; null: never, or it is to be tried again now. */
  triedAt: Date | null;
  /** Whether this login is to have a list of tools of its own, and has none. */
  wantsOwnList: boolean;
  /** Whether the server answered when it was looked at last. */
  serverReachable: boolean;
  /** Of OAuth logins. */
  grant: Grant | null;
  now: Date;
}

const TRIAL_INTERVAL_MS = 3_600_000;
const LIST_INTERVAL_MS = 60_000;
/** What was due and couldn't be done now, since server or provider are down, is looked at again after this. */
const OVERDUE_MS = 30_000;
const WAIT_MS = 24 * 3_600_000;

/** Nothing can be done until a person acts: they confirm a new address, enter a credential, or consent. Their act marks the enrollment. */
export function aPersonMustAct({ suspended, holdsCredential, grant, conditions, kind }: EnrollmentFacts): boolean {
  if (suspended || !holdsCredential) return true;
  if (kind !== 'OAUTH') return false;
  const authorized = condition(conditions, 'Authorized');
  return grant === null || (authorized?.status === 'FALSE' && !STILL_RENEWED.has(authorized.reason));
}

/** Reasons why a login isn't good for everything, and is kept alive all the same: the server refuses it for now, or for some calls. */
const STILL_RENEWED: ReadonlySet<string> = new Set(['CredentialRejected', INSUFFICIENT_SCOPE]);

/** When the login is to be renewed, or an attempt whose answer was lost is to be put on record; null: not by time. */
export function refreshTime({ kind, grant }: EnrollmentFacts): Date | null {
  if (kind !== 'OAUTH' || grant === null) return null;
  // Whoever presents it has until then.
  if (grant.attemptId !== null) return grant.attemptUntil;
  // An answer was lost: the access token is used while it lives.
  const wanted = grant.refreshable && grant.outcomeUnknownAt === null ? grant.refreshAt : usableUntil(grant);
  if (wanted === null) return null;
  return grant.nextAttemptAt !== null && grant.nextAttemptAt > wanted ? grant.nextAttemptAt : wanted;
}

/** The login nears its end, or has reached it. */
export function loginIsDue(facts: EnrollmentFacts): boolean {
  const at = refreshTime(facts);
  return at !== null && at <= facts.now && !aPersonMustAct(facts);
}

/** Credentials are tried again at a slow pace, and a login that should have a list of tools and has none a little sooner; never while the server is down. */
export function trialIsDue(facts: EnrollmentFacts): boolean {
  const at = trialTime(facts);
  return at !== null && at <= facts.now && facts.serverReachable;
}

/** When this enrollment is to be looked at again, in milliseconds from now. */
export function nextLookMs(facts: EnrollmentFacts, random: number): number {
  if (aPersonMustAct(facts)) return jittered(WAIT_MS, random);
  const refresh = refreshTime(facts);
  const trial = trialTime(facts);
  const waits = [WAIT_MS];
  // Refreshes have their own jitter.
  if (refresh !== null) waits.push(untilOr(OVERDUE_MS, refresh.getTime() - facts.now.getTime()));
  if (trial !== null) waits.push(untilOr(OVERDUE_MS, jittered(trial.getTime() - facts.now.getTime(), random)));
  return Math.min(...waits);
}

function untilOr(overdueMs: number, leftMs: number): number {
  return leftMs > 0 ? leftMs : overdueMs;
}

function trialTime(facts: EnrollmentFacts): Date | null {
  // Without a credential there is nothing to try: the health of the server says it all.
  if (aPersonMustAct(facts) || (facts.kind === 'NONE' && !facts.wantsOwnList)) return null;
  if (facts.triedAt === null) return facts.now;
  const rejected = condition(facts.conditions, 'Authorized')?.status === 'FALSE';
  return new Date(facts.triedAt.getTime() + (facts.wantsOwnList && !rejected ? LIST_INTERVAL_MS : TRIAL_INTERVAL_MS));
}

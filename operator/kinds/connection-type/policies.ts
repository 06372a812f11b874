import type { Condition } from '#core/connection/condition.js';
import { condition } from '#core/connection/condition.js';
import type { AuthMethod } from '#core/connection/spec.js';
import { FAILURES_UNTIL_UNREACHABLE } from '#core/upkeep/look-outcome.js';
import { jittered } from '../../runtime/back-off.js';

/** What is known of a connection type's OAuth, for {@link discoveryIsDue}. */
export interface OAuthFacts {
  method: AuthMethod;
  /** When the metadata were read last; null: never. */
  discoveredAt: Date | null;
  conditions: readonly Condition[];
  /** Whether the client's secret, or its registration, is to be seen to now. */
  clientWantsCare: boolean;
  now: Date;
}

const DISCOVERY_INTERVAL_MS = 15 * 60_000;

/** Metadata and client are looked at every quarter of an hour, and with every health check for as long as something is wrong with them. */
export function discoveryIsDue({ method, discoveredAt, conditions, clientWantsCare, now }: OAuthFacts): boolean {
  if (method !== 'OAUTH') return false;
  const settled = condition(conditions, 'Discovered')?.status === 'TRUE' && condition(conditions, 'Registered')?.status === 'TRUE';
  return !settled || clientWantsCare || discoveredAt === null || now.getTime() - discoveredAt.getTime() >= DISCOVERY_INTERVAL_MS;
}

const SECOND_LOOKS_MS = [5000, 10_000];
const MAX_INTERVALS = 5;
/** A server is heeded that wants to be left alone, but not for ever. */
const LONGEST_REST_MS = 60 * 60_000;

/**
 * When a server is looked at next (design section 4): a failure again after 5 and 10 seconds; from the third in a row on after one interval, then after one more each
 * time, up to five; and not before the server says that it may be asked again, within an hour.
 * @param failures in a row; 0 when it answered
 * @param random from 0 to 1
 * @param retryAfterMs what the server has asked for, if it has
 * @returns milliseconds
 */
export function nextLookMs(intervalMs: number, failures: number, random: number, retryAfterMs: number | null = null): number {
  return Math.max(ownPaceMs(intervalMs, failures, random), Math.min(retryAfterMs ?? 0, LONGEST_REST_MS));
}

function ownPaceMs(intervalMs: number, failures: number, random: number): number {
  const second = SECOND_LOOKS_MS[failures - 1];
  if (second !== undefined) return Math.min(second, intervalMs * MAX_INTERVALS);
  const intervals = Math.max(1, Math.min(MAX_INTERVALS, failures - FAILURES_UNTIL_UNREACHABLE + 1));
  return jittered(intervalMs * intervals, random);
}

/** The type's own list of tools has ended: from now on each login has one of its own, which is to be read. */
export function ownListHasEnded(before: string | null, after: string | null): boolean {
  return before !== null && after === null;
}

import { condition, type Condition } from './condition.js';

/** The one enum that frontends show for a connection type, derived from its conditions. */
export const CONNECTION_TYPE_STATES = ['READY', 'PENDING', 'UNREACHABLE', 'ACTION_REQUIRED', 'MISCONFIGURED', 'DELETING'] as const;
export type ConnectionTypeState = (typeof CONNECTION_TYPE_STATES)[number];

/** The one enum that frontends show for an enrollment. Server health and login health are never the same state. */
export const ENROLLMENT_STATES = ['READY', 'PENDING_AUTHORIZATION', 'ACTION_REQUIRED', 'UNREACHABLE', 'SUSPENDED', 'DELETING'] as const;
export type EnrollmentState = (typeof ENROLLMENT_STATES)[number];

/** The reason of `Ready` while an enrollment's owner has not consented yet: neither `Reconciling` nor `Stalled`. */
export const AWAITING_CONSENT = 'AwaitingConsent';

/** The reason of `Ready` while an expired login can't be renewed because its provider doesn't answer: nobody has to act. */
export const REFRESH_FAILED = 'RefreshFailed';

/** The state of a connection type, from what was observed last. */
export function connectionTypeState(conditions: readonly Condition[]): ConnectionTypeState {
  const reachable = condition(conditions, 'Reachable');
  if (condition(conditions, 'Stalled')?.status === 'TRUE') return 'MISCONFIGURED';
  if (reachable === undefined || reachable.status === 'UNKNOWN') return 'PENDING';
  if (reachable.status === 'FALSE') return 'UNREACHABLE';
  const registered = condition(conditions, 'Registered');
  if (registered !== undefined && registered.status !== 'TRUE') return 'ACTION_REQUIRED';
  return condition(conditions, 'Ready')?.status === 'TRUE' ? 'READY' : 'PENDING';
}

/** The state of an enrollment: its own conditions, whether its owner has seen the current address, and whether the server is up. */
export function enrollmentState(conditions: readonly Condition[], suspended: boolean, type: readonly Condition[]): EnrollmentState {
  if (suspended) return 'SUSPENDED';
  if (condition(conditions, 'Ready')?.reason === AWAITING_CONSENT) return 'PENDING_AUTHORIZATION';
  const authorized = condition(conditions, 'Authorized');
  if (authorized?.status === 'FALSE') return 'ACTION_REQUIRED';
  if (condition(conditions, 'Ready')?.reason === REFRESH_FAILED) return 'UNREACHABLE';
  if (condition(type, 'Reachable')?.status === 'FALSE') return 'UNREACHABLE';
  return 'READY';
}

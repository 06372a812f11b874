import { condition, type Condition, type Observation } from '../connection/condition.js';
import { REFRESH_FAILED } from '../connection/state.js';
import { quotePeer } from '../errors.js';
import type { GrantValues } from '../store/oauth-grants.js';
import { authorization } from './observations.js';

/** The condition `Fresh`: whether the next refresh is planned and the last one worked. Pure. `why` is why there is none to come. */
export function freshness({ expiresAt, refreshable }: GrantValues, why = 'The provider gave no refresh token.'): Observation {
  if (refreshable !== true) {
    return { type: 'Fresh', status: 'FALSE', reason: 'NotRefreshable', message: `${why} When this login expires, its owner has to consent again.` };
  }
  return expiresAt == null
    ? { type: 'Fresh', status: 'TRUE', reason: 'OnDemand', message: 'The provider doesn\'t say when the login expires: it is refreshed when the server refuses it.' }
    : { type: 'Fresh', status: 'TRUE', reason: 'Planned', message: '' };
}

/** After new tokens: what had to do with the old ones is over; what only consent heals (more scopes, another issuer) stays. */
export function renewed(before: readonly Condition[], life: GrantValues): Observation[] {
  const authorized = condition(before, 'Authorized');
  if (authorized === undefined || (authorized.status === 'FALSE' && OF_OLD_TOKENS.has(authorized.reason))) return [freshness(life), ...authorization('OAUTH', 'NOT_TRIED')];
  if (condition(before, 'Ready')?.reason !== REFRESH_FAILED) return [freshness(life)];
  const { status, reason, message } = authorized;
  const ready = status === 'TRUE' || reason === 'NotVerifiable';
  return [freshness(life), { type: 'Ready', status: ready ? 'TRUE' : 'FALSE', reason: status === 'TRUE' ? 'Ready' : reason, message }];
}

/** The reason of `Authorized` when only a new consent helps. */
export const CONSENT_REQUIRED = 'ConsentRequired';
/** Its message when a login that can't be renewed has expired. */
export const LOGIN_EXPIRED = 'The login has expired, and can\'t be renewed without its owner: sign in again with startAuthorization.';
/** The reason of `Authorized` when the provider doesn't accept our client. */
export const CLIENT_REFUSED = 'ClientRefused';
/** The reason of `Authorized` when the server wants more rights. */
export const INSUFFICIENT_SCOPE = 'InsufficientScope';
const OF_OLD_TOKENS = new Set([CONSENT_REQUIRED, CLIENT_REFUSED, 'CredentialRejected']);

/** The login is over: only its owner can go on. */
export function over(reason: string, message: string): Observation[] {
  return [
    { type: 'Authorized', status: 'FALSE', reason, message },
    { type: 'Fresh', status: 'FALSE', reason, message },
    { type: 'Ready', status: 'FALSE', reason, message },
    { type: 'Reconciling', status: 'FALSE', reason: 'Observed', message: '' },
  ];
}

/** A refresh failed, and is tried again. */
export function refreshFailed(alive: boolean, words: string): Observation[] {
  const message = `${words} It is tried again by itself${alive ? '; until then the present login is used' : ''}.`;
  return failing(REFRESH_FAILED, message, alive);
}

/** The answer to a refresh was lost; on record, since the provider may take the next presentation for a theft. */
export function outcomeUnknown(alive: boolean): Observation[] {
  const message = `The provider's answer to the last refresh was lost. ${alive ? 'The login is used while it lives, then' : 'It'} is refreshed once more; if the provider refuses that, its owner has to consent again.`;
  return failing('RefreshOutcomeUnknown', message, alive);
}

function failing(reason: string, message: string, alive: boolean): Observation[] {
  const fresh: Observation = { type: 'Fresh', status: 'FALSE', reason, message };
  return alive ? [fresh] : [fresh, { type: 'Ready', status: 'FALSE', reason: REFRESH_FAILED, message }];
}

/** The server wants more rights than were granted. */
export function scopesWanted(scopes: readonly string[]): Observation[] {
  const which = scopes.length === 0 ? '' : ` (${quotePeer(scopes.join(' '))})`;
  const message = `A call wanted more rights than this login has${which}: consent again with startAuthorization to grant them.`;
  return [
    { type: 'Authorized', status: 'FALSE', reason: INSUFFICIENT_SCOPE, message },
    { type: 'Ready', status: 'FALSE', reason: INSUFFICIENT_SCOPE, message },
  ];
}

import type { OAuthTokens } from '../connection/credential.js';
import { refreshPlan } from '../oauth/refresh-plan.js';
import type { TokenSet } from '../oauth/token-set.js';
import type { ConnectionType } from '../store/entities/connection-type.entity.js';
import type { CredentialField, Enrollment } from '../store/entities/enrollment.entity.js';
import { NO_ATTEMPT, type GrantValues } from '../store/oauth-grants.js';

/** The credential that new tokens are. */
export function credentialOf({ accessToken, refreshToken }: TokenSet): OAuthTokens {
  return { kind: 'OAUTH', accessToken, refreshToken };
}

/** What may be shown of new tokens. */
export function fieldsOf({ refreshToken }: Pick<TokenSet, 'refreshToken'>, now: Date): CredentialField[] {
  const updatedAt = now.toISOString();
  return [{ name: 'accessToken', isSet: true, updatedAt }, { name: 'refreshToken', isSet: refreshToken !== null, updatedAt: refreshToken === null ? null : updatedAt }];
}

/**
 * The life of new tokens, of a consent or a refresh; whatever was known of the old ones is over. Times are of the clock that the token request was made by:
 * the database's.
 * @param jitter from 0 to 1, drawn once for these tokens
 */
export function lifeOf({ expiresAt, obtainedAt, refreshToken, scopes }: TokenSet, jitter: number): GrantValues {
  const refreshable = refreshToken !== null;
  return {
    ...NO_ATTEMPT, scopes, obtainedAt, expiresAt, refreshable, refreshAt: refreshable ? refreshPlan({ expiresAt, obtainedAt, lastAttempt: null, jitter }) : null,
    failedRefreshes: 0, nextAttemptAt: null, outcomeUnknownAt: null,
  };
}

/** How a login is called on record when it is gone. */
export function subjectOf(type: Pick<ConnectionType, 'name'>, { label }: Pick<Enrollment, 'label'>): string {
  return `${type.name}${label === '' ? '' : `/${label}`}`;
}

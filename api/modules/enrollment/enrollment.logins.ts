import { currentTarget } from '#core/connection/target.js';
import { UserFault } from '#core/errors.js';
import { isUniqueViolation } from '#core/store/conflict.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import { newId } from '#core/store/ids.js';
import type { OAuthTokens } from '#core/upkeep/oauth-tokens.js';
import { ProviderUnavailable } from '#core/upkeep/oauth-tokens-wait.js';
import type { TypeOAuth } from '#core/upkeep/type-oauth.js';
import { awaitingConsent } from '#core/upkeep/observations.js';
import type { Upkeep } from '#core/upkeep/upkeep.js';
import type { ConsentLink, ConsentService } from '../../consent/consent-service.js';
import type { Act } from '../../mutation.js';
import { labelTaken } from './label-taken.js';
import type { EnrollInput } from './enrollment.type.js';

const ROTATION_WAIT_MS = 30_000;

/** Enrollments that are logins with OAuth: they begin without a credential, and with a link to a page of ours. */
export class EnrollmentLogins {
  constructor(private readonly oauth: TypeOAuth, private readonly consent: ConsentService, private readonly upkeep: Upkeep, private readonly tokens: Pick<OAuthTokens, 'rotate'>) {}

  /** The enrollment, waiting for its owner's consent, and the link to it. */
  async enroll(act: Act, type: ConnectionType, memberId: string, label: string, input: EnrollInput): Promise<{ enrollment: Enrollment; authorization: ConsentLink }> {
    for (const field of ['accessToken', 'headers'] as const) {
      if (input[field] != null) throw new UserFault('INVALID', `This connection type's auth method is OAUTH: leave "${field}" out, and consent in the browser.`, { field: ['input', field] });
    }
    const returnUrl = input.returnUrl ?? null;
    this.consent.checkReturnUrl(returnUrl);
    await this.oauth.setupOf(type);
    const id = newId();
    try {
      return await act.commit(async (repositories) => {
        const enrollment = await repositories.enrollments.insert(
          { id, teamId: type.teamId, connectionTypeId: type.id, ownerId: memberId, label, shared: false, origin: 'API', confirmedTarget: currentTarget(type.spec) },
          { enrollmentId: id, teamId: type.teamId, kind: 'OAUTH', version: 1, sealed: null, fields: [] },
          { enrollmentId: id, conditions: [], toolsSyncedAt: null },
        );
        await this.upkeep.status.writeEnrollment(repositories, type, id, awaitingConsent());
        act.about(type.teamId, { type: 'Enrollment', id, name: `${type.name}${label === '' ? '' : `/${label}`}` });
        return { enrollment, authorization: await this.consent.start(repositories, { teamId: type.teamId, memberId, enrollmentId: id, returnUrl }) };
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw labelTaken(label);
      throw error;
    }
  }

  /** Has the login renewed now. One that its provider can't renew is left as it is while it lives. Throws ACTION_REQUIRED where its owner has to consent again, SERVER_REFUSED where the provider fails. */
  async rotate(enrollmentId: string): Promise<void> {
    const field = ['input', 'id'];
    try {
      await this.tokens.rotate(enrollmentId, { timeoutMs: ROTATION_WAIT_MS });
    } catch (error) {
      if (error instanceof ProviderUnavailable) {
        throw new UserFault('SERVER_REFUSED', error.publicMessage, { field, retryable: true, cause: error, ...(error.retryAfterMs === null ? {} : { retryAfterMs: error.retryAfterMs }) });
      }
      if (error instanceof UserFault) throw new UserFault(error.code, error.publicMessage, { field, cause: error });
      throw error;
    }
  }

  /** A link to consent again, on the same enrollment. */
  async start(act: Act, type: ConnectionType, enrollment: Enrollment, returnUrl: string | null): Promise<ConsentLink> {
    if (type.spec.authMethod !== 'OAUTH') throw new UserFault('INVALID', `This connection type's auth method is ${type.spec.authMethod}: enter the credential with updateEnrollment.`, { field: ['input', 'enrollmentId'] });
    this.consent.checkReturnUrl(returnUrl);
    await this.oauth.setupOf(type);
    return act.commit((repositories) => this.consent.start(repositories, { teamId: type.teamId, memberId: enrollment.ownerId, enrollmentId: enrollment.id, returnUrl }));
  }
}

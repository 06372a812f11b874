import { condition } from '#core/connection/condition.js';
import { currentTarget, sameTarget, type CredentialTarget } from '#core/connection/target.js';
import { InvariantBroken, UserFault } from '#core/errors.js';
import { finishAuthorization } from '#core/oauth/callback.js';
import { OAuthFault } from '#core/oauth/fault.js';
import type { TokenSet } from '#core/oauth/token-set.js';
import type { AuditOutcome } from '#core/store/entities/audit-event.entity.js';
import type { OAuthAuthorization } from '#core/store/entities/oauth-grant.entity.js';
import type { Repositories } from '#core/store/store.js';
import { credentialOf, fieldsOf, lifeOf, subjectOf } from '#core/upkeep/oauth-tokens-life.js';
import { freshness } from '#core/upkeep/oauth-tokens-observations.js';
import { authorization as authorizationObservations, awaitingConsent } from '#core/upkeep/observations.js';
import type { OAuthSetup } from '#core/upkeep/type-oauth.js';
import { openFlow } from './flow.js';
import { hashOf, matches } from './one-time-secret.js';
import type { ConsentParts } from './parts.js';
import type { ConsentOutcome } from './return-urls.js';
import { situationOf, type Situation } from './situation.js';

/** An answer of a provider, as a browser brought it. */
export interface Answer {
  parameters: URLSearchParams;
  /** `state`, of which there must be exactly one. */
  state: string;
  /** Of the browser that went on from our page; undefined in any other. */
  cookie: string | undefined;
  requestId: string;
}

/** What became of it. `REFUSED` changed nothing and stored nothing. */
export type Finished =
  | { kind: 'REFUSED'; reason: 'UNKNOWN' | 'OTHER_BROWSER' | 'FINISHED' }
  | { kind: 'CONCLUDED'; outcome: ConsentOutcome; message: string; kept: boolean; authorization: OAuthAuthorization; serverName: string };

/** Outlives the exchange of the code, which has a deadline of its own. */
const FINISHING_LIFETIME_MS = 90_000;
const STORE_ATTEMPTS = 5;
const OVER = 'It was not finished within ten minutes, or a newer link replaced it. Nothing was stored.';
const CHANGED = 'The server\'s address or provider was changed while you were signing in. Look at it, then start again. Nothing was stored.';

/** How a login ended, in one word and for people. */
interface Ending {
  outcome: ConsentOutcome;
  message: string;
  /** Whether the enrollment holds a login of an earlier consent all the same. */
  kept: boolean;
}

/** Takes a provider's answer, once, from the browser that was sent to it, and stores what it brings. */
export class AuthorizationFinisher {
  constructor(private readonly parts: ConsentParts) {}

  /** Never throws for what providers and browsers do. */
  async finish(answer: Answer): Promise<Finished> {
    const { store } = this.parts;
    const authorization = await store.oauthAuthorizations.byState(hashOf(answer.state));
    if (authorization === null) return { kind: 'REFUSED', reason: 'UNKNOWN' };
    // Its own browser has forgotten the cookie by the time somebody loads the last page again.
    if (!matches(answer.cookie, authorization.cookieHash)) return { kind: 'REFUSED', reason: authorization.state === 'SENT' ? 'OTHER_BROWSER' : 'FINISHED' };
    const situation = await situationOf(store, authorization);
    if (situation === null) return { kind: 'REFUSED', reason: 'UNKNOWN' };
    const taken = await store.oauthAuthorizations.transition(authorization.id, 'SENT', { state: 'FINISHING' }, FINISHING_LIFETIME_MS);
    if (!taken) return this.#notTaken(situation);
    return concluded(situation, await this.#redeem(situation, answer));
  }

  async #notTaken(situation: Situation): Promise<Finished> {
    const { store } = this.parts;
    await store.oauthAuthorizations.expire(null);
    const now = await store.oauthAuthorizations.byId(situation.authorization.id);
    return now?.state === 'EXPIRED' ? concluded(situation, { outcome: 'EXPIRED', message: OVER, kept: await this.#holdsLogin(store, situation) }) : { kind: 'REFUSED', reason: 'FINISHED' };
  }

  async #redeem(situation: Situation, { parameters, requestId }: Answer): Promise<Ending> {
    const { authorization, type } = situation;
    const { setupOf, store, transport, vault } = this.parts;
    try {
      const { pending, target } = await openFlow(vault, authorization);
      const setup = await setupOf(type);
      const { client, clientRowId, discovery } = setup;
      if (clientRowId !== authorization.clientId || discovery.issuer !== authorization.issuer) return await this.#end(situation, 'FAILED', CHANGED, 'STALE_VERSION', requestId);
      // Lifetimes are counted by the clock that all processes share.
      const sentAt = await store.now();
      const tokens = await finishAuthorization({ parameters, pending, client, discovery, transport, now: () => sentAt });
      try {
        return await this.#keep(situation, tokens, target, requestId);
      } catch (error) {
        await this.#revokeUnkept(situation, setup, tokens);
        throw error;
      }
    } catch (error) {
      return this.#failed(situation, error, requestId);
    }
  }

  /** Tokens that could not be stored are known to nobody but us, so they are revoked; not where the enrollment holds a login, which many providers would end together with them. */
  async #revokeUnkept({ enrollment, type }: Situation, setup: OAuthSetup, tokens: TokenSet): Promise<void> {
    const { logger, orphaned, store } = this.parts;
    try {
      const [credential] = await store.enrollments.credentials([enrollment.id]);
      if (credential?.sealed == null) await orphaned({ teamId: enrollment.teamId, subjectName: subjectOf(type, enrollment), setup, tokens });
    } catch (error) {
      logger.error({ err: error, enrollmentId: enrollment.id }, 'a login that was not stored could not be revoked');
    }
  }

  /** Stores the tokens first, and only then uses them, to see what the server says. */
  async #keep(situation: Situation, tokens: TokenSet, target: CredentialTarget, requestId: string): Promise<Ending> {
    const { enrollment } = situation;
    const { changed, logger, store, upkeep } = this.parts;
    for (let attempt = 1; !(await this.#store(situation, tokens, target, requestId)); attempt += 1) {
      if (attempt === STORE_ATTEMPTS) throw new InvariantBroken('the credential\'s version moves faster than it can be replaced');
    }
    changed(enrollment.teamId);
    await upkeep.checkEnrollment(enrollment.id).catch((error: unknown) => logger.warn({ err: error, enrollmentId: enrollment.id }, 'a new login could not be tried'));
    await store.announce(enrollment.teamId);
    changed(enrollment.teamId);
    const [status] = await store.enrollments.statuses([enrollment.id]);
    const authorized = condition(status?.conditions ?? [], 'Authorized');
    if (authorized?.status !== 'FALSE') return { outcome: 'READY', message: '', kept: false };
    await store.oauthAuthorizations.transition(situation.authorization.id, 'READY', { state: 'FAILED', message: authorized.message });
    return { outcome: 'FAILED', message: authorized.message, kept: false };
  }

  /** False when the credential's version has moved meanwhile: a refresh finished. The consent is newer, so it is tried again and wins. */
  async #store(situation: Situation, tokens: TokenSet, target: CredentialTarget, requestId: string): Promise<boolean> {
    const { authorization, enrollment, type } = situation;
    const { box, store, now, random, upkeep } = this.parts;
    const [before] = await store.enrollments.credentials([enrollment.id]);
    if (before === undefined) throw new UserFault('NOT_FOUND', 'The enrollment was deleted while you were signing in. Nothing was stored.');
    const life = { ...lifeOf(tokens, random()), lastRefreshAt: null };
    const sealed = await box.seal({ teamId: enrollment.teamId, enrollmentId: enrollment.id, version: before.version + 1, target }, credentialOf(tokens));
    return store.transaction(async (repositories) => {
      const current = await repositories.connectionTypes.lock(type.id);
      if (current === null || !sameTarget(currentTarget(current.type.spec), target)) throw new UserFault('STALE_VERSION', CHANGED);
      if (!(await repositories.enrollments.replaceCredential(enrollment.id, before.version, { kind: 'OAUTH', sealed, fields: fieldsOf(tokens, now()) }))) return false;
      await repositories.enrollments.update(enrollment.id, { confirmedTarget: target });
      await repositories.oauthGrants.insert(enrollment.id, enrollment.teamId);
      await repositories.oauthGrants.update(enrollment.id, { ...life, clientId: authorization.clientId, issuer: authorization.issuer });
      if (!(await repositories.oauthAuthorizations.transition(authorization.id, 'FINISHING', { state: 'READY', sealed: null }))) throw new UserFault('STALE_VERSION', OVER);
      await upkeep.status.writeEnrollment(repositories, current.type, enrollment.id, [...authorizationObservations('OAUTH', 'NOT_TRIED'), freshness(life)]);
      await this.#record(repositories, situation, 'SUCCEEDED', null, requestId);
      return true;
    });
  }

  async #failed(situation: Situation, error: unknown, requestId: string): Promise<Ending> {
    const { clientRefused, logger } = this.parts;
    if (error instanceof OAuthFault) {
      logger.info({ err: error, requestId, enrollmentId: situation.enrollment.id }, 'a login was not granted');
      if (error.code === 'INVALID_CLIENT') await clientRefused(situation.type, situation.authorization.clientId!);
      return this.#end(situation, error.code === 'ACCESS_DENIED' ? 'DENIED' : 'FAILED', error.publicMessage, error.code, requestId);
    }
    if (error instanceof UserFault) return this.#end(situation, 'FAILED', error.publicMessage, error.code, requestId);
    logger.error({ err: error, requestId, enrollmentId: situation.enrollment.id }, 'a login could not be finished');
    return this.#end(situation, 'FAILED', `Something went wrong on our side; quote request id ${requestId} when you report it. Nothing was stored.`, 'INTERNAL', requestId);
  }

  /** Ends it without tokens. An enrollment that has a login keeps it, and what is known of it. */
  async #end(situation: Situation, outcome: 'DENIED' | 'FAILED', message: string, code: string, requestId: string): Promise<Ending> {
    const { authorization, enrollment, type } = situation;
    const { changed, store, upkeep } = this.parts;
    const kept = await store.transaction(async (repositories) => {
      const holds = await this.#holdsLogin(repositories, situation);
      if (!(await repositories.oauthAuthorizations.transition(authorization.id, 'FINISHING', { state: outcome, message, sealed: null }))) return holds;
      if (!holds && (await repositories.enrollments.byId(enrollment.id)) !== null) {
        await upkeep.status.writeEnrollment(repositories, type, enrollment.id, awaitingConsent(outcome === 'DENIED' ? 'ConsentDenied' : 'ConsentFailed', message));
      }
      await this.#record(repositories, situation, outcome === 'DENIED' ? 'REFUSED' : 'FAILED', code, requestId);
      await repositories.announce(enrollment.teamId);
      return holds;
    });
    changed(enrollment.teamId);
    return { outcome, message, kept };
  }

  async #holdsLogin(repositories: Repositories, { enrollment }: Situation): Promise<boolean> {
    const [credential] = await repositories.enrollments.credentials([enrollment.id]);
    return credential?.sealed != null;
  }

  async #record(repositories: Repositories, { enrollment, owner, type }: Situation, outcome: AuditOutcome, code: string | null, requestId: string): Promise<void> {
    await repositories.audit.append({
      teamId: enrollment.teamId, actorId: owner.id, actorName: owner.displayName, onBehalfOfName: null, tokenId: null, action: 'finishAuthorization',
      subjectType: 'Enrollment', subjectId: enrollment.id, subjectName: subjectOf(type, enrollment), outcome, code, requestId,
    });
  }
}

function concluded({ authorization, type }: Situation, ending: Ending): Finished {
  return { kind: 'CONCLUDED', ...ending, authorization, serverName: type.spec.displayName };
}

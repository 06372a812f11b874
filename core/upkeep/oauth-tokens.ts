import { setTimeout as delay } from 'node:timers/promises';
import { condition, type Observation } from '../connection/condition.js';
import type { OAuthTokens as TokensValue } from '../connection/credential.js';
import { currentTarget, sameTarget } from '../connection/target.js';
import { InvariantBroken, UserFault } from '../errors.js';
import type { Logger } from '../log.js';
import { OAuthFault } from '../oauth/fault.js';
import { refreshTokens } from '../oauth/refresh.js';
import type { TokenSet } from '../oauth/token-set.js';
import type { OAuthTransport } from '../oauth/transport.js';
import type { ConnectionType } from '../store/entities/connection-type.entity.js';
import type { Credential, Enrollment } from '../store/entities/enrollment.entity.js';
import type { OAuthGrant } from '../store/entities/oauth-grant.entity.js';
import { newId } from '../store/ids.js';
import type { GrantValues } from '../store/oauth-grants.js';
import type { Repositories, Store } from '../store/store.js';
import type { CredentialBox } from './credential-box.js';
import { ISSUER_CHANGED } from './issuer-changed.js';
import { belongsTo } from './oauth-place.js';
import { accessTokenAlive, decideRefresh, usableUntil, type RefreshIntent } from './oauth-tokens-decision.js';
import { ProviderUnavailable, waitFor, type Wait } from './oauth-tokens-wait.js';
import { credentialOf, fieldsOf, lifeOf, subjectOf } from './oauth-tokens-life.js';
import { CONSENT_REQUIRED, LOGIN_EXPIRED, over, outcomeUnknown, renewed } from './oauth-tokens-observations.js';
import { failedOutcome, secondLoss } from './oauth-tokens-outcome.js';
import { StatusWriter } from './status-writer.js';
import type { OAuthSetup } from './type-oauth.js';
import { refreshEnd, type UpkeepMetrics } from './upkeep-metrics.js';

/** What {@link OAuthTokens} is built of. */
export interface OAuthTokensOptions {
  store: Store;
  box: CredentialBox;
  /** To token endpoints: its `timeoutMs` is that of one request. */
  transport: OAuthTransport;
  /** The client and discovery that a login goes by which was issued to this client. Throws `UserFault` with the next step where there is none. */
  setupOf: (type: ConnectionType, issuedTo: string | null) => Promise<Pick<OAuthSetup, 'clientRowId' | 'client' | 'discovery'>>;
  /** Told when the provider doesn't know the client, or its secret, any more. */
  clientRefused: (type: ConnectionType, clientRowId: string) => Promise<void>;
  /** Tokens that came when their enrollment was gone: to be revoked. */
  orphaned: (orphan: OrphanedTokens) => Promise<void>;
  /** Called after something that callers rely on was written. Other processes hear `fairlead_changed`. */
  changed: (teamId: string) => void;
  now: () => Date;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** From 0 to 1. */
  random: () => number;
  logger: Logger;
  /** Told how each presentation ended. */
  metrics?: Pick<UpkeepMetrics, 'refreshed'>;
  /** How long an attempt is believed in: well over a request's time; twice that by default. */
  leaseMs?: number;
}

/** Tokens without an enrollment, and whose they were. */
export interface OrphanedTokens {
  teamId: string;
  subjectName: string;
  setup: Pick<OAuthSetup, 'client' | 'discovery'>;
  tokens: Pick<TokenSet, 'accessToken' | 'refreshToken'>;
}

/** A login that can be used now. Holds secrets. */
export interface Login {
  value: TokensValue;
  /** The credential's: what a refusal is reported with. */
  version: number;
  /** When the access token stops being sent, by {@link OAuthTokensOptions.clock}; null: when it is refused. */
  usableUntil: number | null;
}

/** Everything that is known of a login at one moment. */
interface Situation {
  enrollment: Enrollment;
  type: ConnectionType;
  credential: Credential & { sealed: Buffer };
  grant: OAuthGrant;
  /** By the database's clock. */
  now: Date;
  /** No later than `now`, by the monotonic clock: on a busy machine there may be a second between a look at the one and a look at the other. */
  readAt: number;
}

/** How long new tokens are held for a database that doesn't take them, and how often it is still asked once the process is to end. */
const STORE_FOR_MS = 15 * 60_000;
const LAST_ATTEMPTS = 10;
const LONGEST_STORE_RETRY_MS = 500;

/**
 * Keeps OAuth logins usable (design section 7, "Refresh"). A refresh token is presented by one caller at a time, in whichever process: the attempt is on record before it is
 * sent, with a lease that outlives the request; no transaction is open meanwhile. The fence is the credential's version, not the lease: an answer is stored whenever
 * the version has not moved, and its access token is used only after that.
 *
 *     idle ──claim──▶ attempt on record ──answered──▶ stored (version + 1)  or  judged (oauth-tokens-outcome)
 *       ▲                     └─lease over: lost─▶ RefreshOutcomeUnknown ──once more, after the access token's end──┐
 *       └────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
 */
export class OAuthTokens {
  readonly #options: OAuthTokensOptions;
  readonly #status: StatusWriter;
  readonly #running = new Map<string, Promise<Login>>();
  /** Enrollments whose new tokens are here and not yet in the database: their attempts aren't lost, however old they are. */
  readonly #storing = new Set<string>();
  #stopping = false;
  readonly #leaseMs: number;

  constructor(options: OAuthTokensOptions) {
    this.#options = options;
    this.#status = new StatusWriter(options.now);
    this.#leaseMs = options.leaseMs ?? 2 * options.transport.timeoutMs;
  }

  /**
   * The tokens to use now: as they are, or renewed if they have expired.
   * @throws {UserFault} `ACTION_REQUIRED`, `ENROLLMENT_SUSPENDED`, `NOT_FOUND`: only a person can go on; what is so is on record as conditions
   * @throws {ProviderUnavailable} the provider can't renew them now, or not within the wait
   */
  current(enrollmentId: string, wait: Wait): Promise<Login> {
    return this.#shared(enrollmentId, 'USE', null, wait);
  }

  /** After the server refused (401) the access token of this version: another one, unless there is none to be had. Throws as {@link current}. */
  refreshAfterRefusal(enrollmentId: string, version: number, wait: Wait): Promise<Login> {
    return this.#shared(enrollmentId, 'REFUSED', version, wait);
  }

  /** Renews the login if its refresh is due, and leaves it alone otherwise; a failure while it still lives is on record and isn't thrown. Throws as {@link current}. */
  refreshIfDue(enrollmentId: string, wait: Wait): Promise<Login> {
    return this.#shared(enrollmentId, 'DUE', null, wait);
  }

  /** Renews the login now, because a person wants that; one that can't be renewed is left as it is while it lives. Throws as {@link current}. */
  rotate(enrollmentId: string, wait: Wait): Promise<Login> {
    return this.#shared(enrollmentId, 'ROTATE', null, wait);
  }

  /** Waits for what is under way, so that no answer is lost: before the store is closed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    while (this.#running.size > 0) await Promise.allSettled(this.#running.values());
  }

  /** One run for all callers of this process who want the same; whoever stops waiting doesn't stop it. */
  #shared(enrollmentId: string, intent: RefreshIntent, version: number | null, wait: Wait): Promise<Login> {
    const key = `${enrollmentId}|${intent}|${version ?? ''}`;
    let run = this.#running.get(key);
    if (run === undefined) {
      run = this.#run(enrollmentId, intent, version).finally(() => this.#running.delete(key));
      this.#running.set(key, run);
    }
    return waitFor(run, wait);
  }

  async #run(enrollmentId: string, wanted: RefreshIntent, version: number | null): Promise<Login> {
    let intent = wanted;
    let seen = version;
    for (let looks = 0; ; looks += 1) {
      const situation = await this.#gather(enrollmentId);
      seen ??= situation.credential.version;
      // Somebody else renewed it: that serves everybody.
      if (situation.credential.version !== seen && intent !== 'DUE') intent = 'USE';
      switch (decideRefresh({ grant: situation.grant, now: situation.now, intent })) {
        case 'USE': return this.#login(situation);
        case 'WAIT': await delay(50 + Math.min(looks, 10) * 40 * this.#options.random()); break;
        case 'LOST':
          if (this.#storing.has(enrollmentId)) await delay(50);
          else await this.#lost(situation);
          break;
        case 'BACK_OFF': throw new ProviderUnavailable('The login has expired, and its provider could not renew it a moment ago. Try again.', retryAfter(situation));
        case 'CONSENT': throw await this.#over(situation, CONSENT_REQUIRED, LOGIN_EXPIRED);
        case 'PRESENT': {
          const login = await this.#present(situation, intent);
          if (login !== null) return login;
        }
      }
    }
  }

  /** @throws {UserFault} where there is nothing that could be used */
  async #gather(enrollmentId: string): Promise<Situation> {
    const { store, clock } = this.#options;
    const readAt = clock();
    const [enrollment, [credential], life] = await Promise.all([store.enrollments.byId(enrollmentId), store.enrollments.credentials([enrollmentId]), store.oauthGrants.atNow(enrollmentId)]);
    const type = enrollment === null ? null : await store.connectionTypes.byId(enrollment.connectionTypeId);
    if (enrollment === null || type === null || credential === undefined) throw new UserFault('NOT_FOUND', 'The enrollment was deleted.');
    // Nothing sealed goes to a place that its owner hasn't seen; nor does it to that place's provider.
    if (!sameTarget(enrollment.confirmedTarget, currentTarget(type.spec))) {
      throw new UserFault('ENROLLMENT_SUSPENDED', 'The server\'s address or method changed: the enrollment\'s owner must look at it, and sign in again with startAuthorization.');
    }
    const { sealed } = credential;
    if (credential.kind !== 'OAUTH' || sealed === null || life === null) throw new UserFault('ACTION_REQUIRED', 'There is no login yet: its owner must sign in with startAuthorization.');
    return { enrollment, type, credential: { ...credential, sealed }, ...life, readAt };
  }

  async #login(situation: Situation): Promise<Login> {
    const until = usableUntil(situation.grant);
    return { value: await this.#open(situation), version: situation.credential.version, usableUntil: until === null ? null : situation.readAt + until.getTime() - situation.now.getTime() };
  }

  async #open({ enrollment, type, credential }: Situation): Promise<TokensValue> {
    const key = { teamId: enrollment.teamId, enrollmentId: enrollment.id, version: credential.version, target: enrollment.confirmedTarget };
    const value = await this.#options.box.open(key, credential.sealed, type.spec);
    if (value.kind !== 'OAUTH') throw new InvariantBroken('a credential of the kind OAUTH holds something else');
    return value;
  }

  /** Records the attempt, presents the refresh token, and stores what comes. Null: the situation has changed, look again. */
  async #present(situation: Situation, intent: RefreshIntent): Promise<Login | null> {
    const { store, clock, transport, logger } = this.#options;
    const { enrollment, credential, grant } = situation;
    const setup = await this.#setup(situation);
    const { refreshToken } = await this.#open(situation);
    if (refreshToken === null) throw new InvariantBroken('a login without a refresh token is marked as refreshable');
    const attemptId = newId();
    const began = clock();
    const sentAt = await store.oauthGrants.claimAttempt(enrollment.id, attemptId, credential.version, this.#leaseMs);
    if (sentAt === null) return null;
    // This process was held up for so long that another one may have given the attempt up: nothing was sent, so nothing is sent.
    if (clock() - began > this.#leaseMs - transport.timeoutMs) {
      await store.oauthGrants.endAttempt(enrollment.id, attemptId);
      return null;
    }
    let tokens: TokenSet;
    try {
      // Nobody's disconnect cancels it: that would lose the answer.
      tokens = await refreshTokens({ ...setup, transport, now: () => sentAt, refreshToken, scopes: grant.scopes });
    } catch (error) {
      // Anything else is a fault of ours: the attempt stays on record, and is found to be lost.
      if (!(error instanceof OAuthFault)) throw error;
      this.#options.metrics?.refreshed(refreshEnd(error.code));
      logger.info({ err: error, enrollmentId: enrollment.id }, 'a login could not be refreshed');
      return this.#failed(situation, attemptId, setup.clientRowId, error, intent);
    }
    return this.#store(situation, attemptId, setup, tokens);
  }

  /** Whom the token goes to: the issuer and client that it came from, or nobody. */
  async #setup(situation: Situation): Promise<Pick<OAuthSetup, 'clientRowId' | 'client' | 'discovery'>> {
    const { store, setupOf } = this.#options;
    const { enrollment, type, grant } = situation;
    const [status] = await store.enrollments.statuses([enrollment.id]);
    const authorized = condition(status?.conditions ?? [], 'Authorized');
    if (authorized?.reason === ISSUER_CHANGED) throw new UserFault('ACTION_REQUIRED', authorized.message);
    const setup = await setupOf(type, grant.clientId);
    const issuedTo = grant.clientId === null ? null : await store.oauthClients.byId(grant.clientId);
    if (setup.discovery.issuer !== grant.issuer || (issuedTo !== null && !belongsTo(issuedTo, setup.discovery))) {
      throw await this.#over(situation, ISSUER_CHANGED, 'The server\'s logins are issued by another provider now, to which nothing of this login is sent: sign in again with startAuthorization.');
    }
    if (setup.clientRowId !== grant.clientId && issuedTo?.clientId !== setup.client.clientId) {
      throw await this.#over(situation, CONSENT_REQUIRED, 'The OAuth client that this login was issued to was replaced: sign in again with startAuthorization.');
    }
    return setup;
  }

  /** Stores the new tokens, and only then hands them out. A database that doesn't answer is asked again for minutes: what was received exists nowhere else. */
  async #store(situation: Situation, attemptId: string, setup: Pick<OAuthSetup, 'client' | 'discovery'>, tokens: TokenSet): Promise<Login | null> {
    this.#storing.add(situation.enrollment.id);
    try {
      return await this.#storePatiently(situation, attemptId, setup, tokens);
    } finally {
      this.#storing.delete(situation.enrollment.id);
    }
  }

  async #storePatiently(situation: Situation, attemptId: string, setup: Pick<OAuthSetup, 'client' | 'discovery'>, tokens: TokenSet): Promise<Login | null> {
    const { store, changed, clock, logger, orphaned } = this.#options;
    const { enrollment, type, credential } = situation;
    const began = clock();
    for (let attempt = 1, last = LAST_ATTEMPTS; ; attempt += 1) {
      try {
        const stored = await this.#replace(situation, tokens);
        if (stored) break;
        await store.oauthGrants.endAttempt(enrollment.id, attemptId);
        if ((await store.enrollments.byId(enrollment.id)) !== null) return null;
        await orphaned({ teamId: enrollment.teamId, subjectName: subjectOf(type, enrollment), setup, tokens });
        throw new UserFault('NOT_FOUND', 'The enrollment was deleted.');
      } catch (error) {
        if (this.#stopping) last -= 1;
        if (error instanceof UserFault || last === 0 || clock() - began > STORE_FOR_MS) throw error;
        if (attempt === 1) logger.error({ err: error, enrollmentId: enrollment.id }, 'new tokens could not be stored yet: it goes on being tried');
        await delay(Math.min(100 * attempt, LONGEST_STORE_RETRY_MS));
      }
    }
    this.#options.metrics?.refreshed('success');
    changed(enrollment.teamId);
    const readAt = clock();
    const now = await store.now();
    const until = usableUntil({ expiresAt: tokens.expiresAt, obtainedAt: tokens.obtainedAt });
    return { value: credentialOf(tokens), version: credential.version + 1, usableUntil: until === null ? null : readAt + until.getTime() - now.getTime() };
  }

  async #replace({ enrollment, type, credential }: Situation, tokens: TokenSet): Promise<boolean> {
    const { box, store, random } = this.#options;
    const version = credential.version + 1;
    const sealed = await box.seal({ teamId: enrollment.teamId, enrollmentId: enrollment.id, version, target: enrollment.confirmedTarget }, credentialOf(tokens));
    const life = lifeOf(tokens, random());
    return store.transaction(async (repositories) => {
      await repositories.connectionTypes.lock(type.id);
      if (!(await repositories.enrollments.replaceCredential(enrollment.id, credential.version, { kind: 'OAUTH', sealed, fields: fieldsOf(tokens, tokens.obtainedAt) }))) return false;
      await repositories.oauthGrants.update(enrollment.id, { ...life, lastRefreshAt: tokens.obtainedAt });
      const [status] = await repositories.enrollments.statuses([enrollment.id]);
      await this.#status.writeEnrollment(repositories, type, enrollment.id, renewed(status?.conditions ?? [], life));
      await repositories.announce(enrollment.teamId);
      return true;
    });
  }

  async #failed(situation: Situation, attemptId: string, clientRowId: string, fault: OAuthFault, intent: RefreshIntent): Promise<Login> {
    const { store, random, clientRefused, logger } = this.#options;
    const now = await store.now();
    const { grant, type } = situation;
    const alive = intent !== 'REFUSED' && accessTokenAlive(grant, now);
    const { values, observations } = failedOutcome({ fault, grant, alive, now, jitter: random() });
    await this.#write(situation, values, observations, attemptId);
    if (fault.code === 'INVALID_CLIENT') {
      await clientRefused(type, clientRowId).catch((error: unknown) => logger.error({ err: error, connectionTypeId: type.id }, 'a client that was refused could not be replaced'));
    }
    if (alive && intent === 'DUE' && observations.every((one) => one.type !== 'Authorized')) return this.#login({ ...situation, now });
    if (observations.some((one) => one.type === 'Authorized')) throw new UserFault('ACTION_REQUIRED', observations[0]!.message);
    throw new ProviderUnavailable(fault.publicMessage, values.nextAttemptAt == null ? null : values.nextAttemptAt.getTime() - now.getTime(), fault);
  }

  /** Puts on record that an answer was lost with its process. */
  async #lost(situation: Situation): Promise<void> {
    const { store, changed, logger } = this.#options;
    const { credential, enrollment, grant, now, type } = situation;
    const loss = await store.transaction(async (repositories) => {
      await repositories.connectionTypes.lock(type.id);
      await repositories.enrollments.isAtVersion(enrollment.id, credential.version);
      const ended = await repositories.oauthGrants.expireAttempt(enrollment.id, grant.attemptId!);
      if (ended === 'FIRST') await this.#status.writeEnrollment(repositories, type, enrollment.id, outcomeUnknown(accessTokenAlive(grant, now)));
      if (ended === 'AGAIN') await this.#status.writeEnrollment(repositories, type, enrollment.id, over(CONSENT_REQUIRED, secondLoss()));
      if (ended !== null) await repositories.announce(enrollment.teamId);
      return ended;
    });
    if (loss === null) return;
    this.#options.metrics?.refreshed('lost');
    changed(enrollment.teamId);
    logger.warn({ enrollmentId: enrollment.id, loss }, 'the answer to a refresh was lost with its process');
  }

  /** Writes that only a person can go on, and answers the fault that says so; what is on record already says it better. */
  async #over(situation: Situation, reason: string, message: string): Promise<UserFault> {
    const [status] = await this.#options.store.enrollments.statuses([situation.enrollment.id]);
    const authorized = condition(status?.conditions ?? [], 'Authorized');
    if (authorized?.status === 'FALSE') return new UserFault('ACTION_REQUIRED', authorized.message);
    await this.#write(situation, {}, over(reason, message), null);
    return new UserFault('ACTION_REQUIRED', message);
  }

  /** What was found of a version is written only while that version stands; the attempt ends in any case. */
  async #write({ enrollment, type, credential }: Situation, values: GrantValues, observations: Observation[], attemptId: string | null): Promise<void> {
    const { store, changed } = this.#options;
    const written = await store.transaction(async (repositories: Repositories) => {
      await repositories.connectionTypes.lock(type.id);
      const stands = await repositories.enrollments.isAtVersion(enrollment.id, credential.version);
      if (attemptId !== null) await repositories.oauthGrants.endAttempt(enrollment.id, attemptId);
      if (!stands) return false;
      if (Object.keys(values).length > 0) await repositories.oauthGrants.update(enrollment.id, values);
      if (!(await this.#status.writeEnrollment(repositories, type, enrollment.id, observations)) && attemptId === null) return false;
      await repositories.announce(enrollment.teamId);
      return true;
    });
    if (written) changed(enrollment.teamId);
  }
}

function retryAfter({ grant, now }: Situation): number {
  return Math.max(0, (grant.nextAttemptAt ?? now).getTime() - now.getTime());
}

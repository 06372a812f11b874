import { hash } from 'node:crypto';
import { lowerRole } from '#core/connection/role.js';
import type { Logger } from '#core/log.js';
import type { Member } from '#core/store/entities/member.entity.js';
import type { Store } from '#core/store/store.js';
import { isFairleadToken, parseToken } from './fairlead-token.js';
import { IdentityFault } from './identity-fault.js';
import type { Grant } from './group-roles.js';
import type { OidcIdentity, OidcVerifier } from './oidc-verifier.js';
import type { Membership, Principal } from './principal.js';

/** The local administrator's subject; local, so that no issuer can vouch for it. */
export const LOCAL_ADMIN = { subject: 'admin', displayName: 'Local administrator' } as const;

/** How long an answer is used again; changes of members and tokens end it sooner. */
const REMEMBER_MS = 30_000;
const MAX_REMEMBERED = 10_000;
const TOUCH_EVERY_MS = 15_000;

/** What {@link Authenticator} is built of. */
export interface AuthenticatorOptions {
  store: Store;
  /** Null where no issuer is configured: then nobody signs in, and only Fairlead tokens work. */
  oidc: OidcVerifier | null;
  logger: Logger;
  now: () => Date;
}

interface Found {
  principal: Principal;
  expiresAt: Date | null;
}

interface Remembered {
  principal: Principal;
  until: number;
}

/**
 * Tells who is calling. Answers are remembered for a while, and only while {@link remembering} is on: that is, while this process hears of
 * changes that others make, each of which ends all that is remembered.
 */
export class Authenticator {
  readonly #remembered = new Map<string, Remembered>();
  /** Answers that are on their way, for whoever asks the same meanwhile: a crowd with one token costs one look-up. */
  readonly #asked = new Map<string, Promise<Found>>();
  readonly #used = new Set<string>();
  readonly #toucher: NodeJS.Timeout;
  #remembering = false;
  /** Moves with every change, so that an answer read before it isn't remembered after it. */
  #generation = 0;

  constructor(private readonly options: AuthenticatorOptions) {
    this.#toucher = setInterval(() => void this.#touch(), TOUCH_EVERY_MS).unref();
  }

  /** Whether answers may be remembered. */
  set remembering(on: boolean) {
    this.#remembering = on;
    this.forget();
  }

  /** Forgets everything: a member, token or team may have changed. */
  forget(): void {
    this.#generation += 1;
    this.#remembered.clear();
    this.#asked.clear();
  }

  /** Throws {@link IdentityFault}. */
  async authenticate(bearer: string | null): Promise<Principal> {
    if (bearer === null) throw new IdentityFault('UNAUTHENTICATED', 'Send a token as "Authorization: Bearer <token>".', { internal: 'no Authorization header' });
    const key = hash('sha256', bearer, 'base64');
    const known = this.#remembered.get(key);
    const now = this.options.now().getTime();
    if (known !== undefined && known.until > now) {
      this.#note(known.principal);
      return known.principal;
    }
    const generation = this.#generation;
    const { principal, expiresAt } = await this.#find(key, bearer);
    this.#note(principal);
    if (this.#remembering && generation === this.#generation) {
      if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
      this.#remembered.set(key, { principal, until: Math.min(now + REMEMBER_MS, expiresAt?.getTime() ?? Infinity) });
    }
    return principal;
  }

  /** Writes when tokens were used last, and stops. */
  async stop(): Promise<void> {
    clearInterval(this.#toucher);
    await this.#touch();
  }

  /** While changes aren't heard of, everybody asks anew: an answer that is on its way may have been read before one. */
  #find(key: string, bearer: string): Promise<Found> {
    const asked = this.#asked.get(key);
    if (asked !== undefined) return asked;
    const found = isFairleadToken(bearer) ? this.#byToken(bearer) : this.#byIssuer(bearer);
    if (!this.#remembering) return found;
    this.#asked.set(key, found);
    const settled = (): void => {
      if (this.#asked.get(key) === found) this.#asked.delete(key);
    };
    found.then(settled, settled);
    return found;
  }

  async #byToken(bearer: string): Promise<Found> {
    const { store } = this.options;
    const token = await store.tokens.byHash(parseToken(bearer).hash);
    const refused = (message: string) => new IdentityFault('UNAUTHENTICATED', message, { internal: 'token' });
    if (token === null) throw refused('The Fairlead token is unknown, or was revoked. Create a new one.');
    if (token.expiresAt !== null && token.expiresAt <= this.options.now()) throw refused('The Fairlead token has expired. Create a new one.');
    const base = { tokenId: token.id, local: true };
    if (token.kind === 'INSTALLATION') {
      const memberships = await this.#memberships(await store.members.ofPerson(LOCAL_ADMIN.subject, true));
      return { principal: { ...base, ...LOCAL_ADMIN, installationAdmin: true, teamId: null, memberships }, expiresAt: token.expiresAt };
    }
    const actsAs = token.memberId ?? token.creatorId!;
    const behind = new Set([actsAs, token.creatorId!, ...token.voucherIds]);
    const rows = await store.members.byIds([...behind]);
    const member = rows.find((row) => row.id === actsAs);
    // The token goes with each of them, so this is a removal that is going on right now.
    if (member === undefined || rows.length < behind.size) throw refused('The Fairlead token ended with a membership. Ask an administrator of the team.');
    const [membership] = await this.#memberships([{ ...member, role: rows.map((row) => row.role).reduce(lowerRole) }]);
    const limits = token.ratePerMinute === null && token.concurrency === null ? null : { ratePerMinute: token.ratePerMinute, concurrency: token.concurrency };
    const scope = token.kind === 'ASSIGNMENT' && membership !== undefined ? { id: token.assignmentId!, onBehalfOf: token.onBehalfOf, creator: membership } : null;
    const principal = {
      ...base, limits, assignment: scope, local: member.local, subject: member.subject, displayName: member.displayName, installationAdmin: false, teamId: token.teamId,
      memberships: membership === undefined || token.kind === 'ASSIGNMENT' ? [] : [membership],
    };
    return { principal, expiresAt: token.expiresAt };
  }

  async #byIssuer(bearer: string): Promise<Found> {
    const { store, oidc } = this.options;
    if (oidc === null) throw new IdentityFault('UNAUTHENTICATED', 'This installation takes Fairlead tokens (flt_…) only.', { internal: 'no issuer configured' });
    const identity = await oidc.verify(bearer);
    let members = await store.members.ofPerson(identity.subject, false);
    if (identity.grants !== null && (await this.#follow(identity, identity.grants, members))) members = await store.members.ofPerson(identity.subject, false);
    const { email } = identity;
    if (email !== null && members.some((member) => member.email !== email)) await store.members.learnEmail(identity.subject, email);
    const displayName = identity.displayName ?? members[0]?.displayName ?? identity.subject;
    const memberships = await this.#memberships(members);
    return { principal: { subject: identity.subject, local: false, displayName, installationAdmin: identity.installationAdmin, tokenId: null, teamId: null, memberships }, expiresAt: identity.expiresAt };
  }

  /** Makes memberships follow the issuer's groups; those that were set here stay as they are. Returns whether anything changed. */
  async #follow(identity: OidcIdentity, grants: readonly Grant[], members: readonly Member[]): Promise<boolean> {
    const { store, logger } = this.options;
    const teams = await Promise.all(grants.map((grant) => store.teams.bySlug(grant.team)));
    const wanted = new Map(grants.flatMap((grant, index) => (teams[index] == null ? [] : [[teams[index].id, grant.role] as const])));
    const changes = [...wanted].filter(([teamId, role]) => {
      const member = members.find((row) => row.teamId === teamId);
      return member === undefined || (member.source === 'CLAIM' && member.role !== role);
    });
    const ended = members.filter((row) => row.source === 'CLAIM' && !wanted.has(row.teamId));
    if (changes.length === 0 && ended.length === 0) return false;
    await store.transaction(async (repositories) => {
      for (const [teamId, role] of changes) {
        await repositories.members.upsert({ teamId, subject: identity.subject, local: false, displayName: identity.displayName, role, source: 'CLAIM' });
        await repositories.announce(teamId);
      }
      for (const member of ended) {
        await repositories.connectionTypes.endSharedLists({ ownerId: member.id });
        await repositories.members.remove(member.teamId, member.id);
        await repositories.announce(member.teamId);
      }
    });
    this.forget();
    logger.info({ granted: changes.length, ended: ended.length }, 'memberships followed the issuer\'s groups');
    return true;
  }

  async #memberships(members: readonly Member[]): Promise<Membership[]> {
    const teams = await this.options.store.teams.byIds(members.map((member) => member.teamId));
    const slugs = new Map(teams.map((team) => [team.id, team.slug]));
    return members.flatMap((member) => {
      const teamSlug = slugs.get(member.teamId);
      return teamSlug === undefined ? [] : [{ teamId: member.teamId, teamSlug, memberId: member.id, role: member.role }];
    });
  }

  #note(principal: Principal): void {
    if (principal.tokenId !== null) this.#used.add(principal.tokenId);
  }

  async #touch(): Promise<void> {
    if (this.#used.size === 0) return;
    const ids = [...this.#used];
    this.#used.clear();
    await this.options.store.tokens.touch(ids).catch((error: unknown) => this.options.logger.warn({ err: error }, 'the last use of tokens could not be written'));
  }
}

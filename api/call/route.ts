import { condition } from '#core/connection/condition.js';
import { credentialHeaders, credentialSecrets } from '#core/connection/credential.js';
import type { ConnectionTypeSpec } from '#core/connection/spec.js';
import { currentTarget, sameTarget } from '#core/connection/target.js';
import { UserFault, type NextAction } from '#core/errors.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Credential, Enrollment, EnrollmentStatus } from '#core/store/entities/enrollment.entity.js';
import type { OAuthGrant } from '#core/store/entities/oauth-grant.entity.js';
import type { Repositories } from '#core/store/store.js';
import { Scrubber } from '#core/tool/scrub.js';
import type { CredentialBox } from '#core/upkeep/credential-box.js';
import { usableUntil } from '#core/upkeep/oauth-tokens-decision.js';
import type { ProviderUnavailable } from '#core/upkeep/oauth-tokens-wait.js';
import { VaultError } from '#core/vault/vault-error.js';
import type { Membership } from '../identity/principal.js';
import { knownId, unknownType } from './call-input.js';
import type { CallRequest } from './call-request.js';
import { chooseEnrollment } from './choose-enrollment.js';
import type { TeamCache } from './team-cache.js';

/** Everything that a call needs to know besides its tool: resolved once, and used until something of the team changes. */
export interface Route {
  /** The rows that it was resolved from. */
  type: ConnectionType;
  enrollment: Enrollment;
  teamId: string;
  memberId: string;
  typeId: string;
  typeName: string;
  spec: ConnectionTypeSpec;
  specVersion: number;
  /** What was known of the server's health: a call that finds otherwise makes the type due. */
  reachable: boolean | null;
  enrollmentId: string;
  enrollmentLabel: string;
  credentialVersion: number;
  /** The credential's request headers, in clear: memory only. */
  headers: Readonly<Record<string, string>>;
  /** Takes the credential out of what comes back. */
  scrubber: Scrubber;
  /** Tells apart whatever must not share a session. */
  sessionKey: string;
  /** The list that tools are looked up in, and whether it was ever read. */
  toolScopeId: string;
  toolsRead: boolean;
  /** What is particular to an OAuth login; null for other credentials. */
  login: RouteLogin | null;
}

/** An OAuth login on the way. */
export interface RouteLogin {
  /** On the monotonic clock; null: until it is refused. */
  usableUntil: number | null;
  /** Why nothing can be sent with it now, although nobody has to act. */
  unavailable: ProviderUnavailable | null;
  /** What the caller should do when it is refused for good; null where that is another's to do. */
  repair: NextAction | null;
}

/** Tells apart whatever must not share a session. The spec's version is in it too: a prefix that changes changes the headers, but neither credential nor target. */
export function sessionKeyOf({ id, confirmedTarget }: Enrollment, credentialVersion: number, { version }: ConnectionType): string {
  return `${id}|${credentialVersion}|${version}|${confirmedTarget.serverUrl}`;
}

/** The page of ours where a person connects, confirms or repairs an enrollment for a connection type. */
export type EnrollLink = (membership: Membership, connectionTypeName: string) => string | null;

/** Resolves calls to routes. Reads; decides; writes nothing. */
export class Routes {
  constructor(
    private readonly store: Repositories,
    private readonly box: CredentialBox,
    private readonly enrollLink: EnrollLink,
    /** Monotonic milliseconds. */
    private readonly clock: () => number,
  ) {}

  /** @throws {UserFault} for every reason why there is no way through (design section 6, step 1) */
  resolve(request: CallRequest, memberships: readonly Membership[]): Promise<Route> {
    return this.#resolve(request, memberships).catch((error: unknown) => {
      // The rows are read one after the other: a credential that was replaced in between belongs to a target that wasn't read yet.
      if (error instanceof VaultError && error.code === 'TAMPERED_OR_MOVED') return this.#resolve(request, memberships);
      throw error;
    });
  }

  async #resolve(request: CallRequest, memberships: readonly Membership[]): Promise<Route> {
    const { type, membership } = await this.#type(request, memberships);
    const usable = await this.#enrollments(type, membership, request.enrollmentId ?? null);
    const link = (label: string): NextAction => ({ label, url: this.enrollLink(membership, type.name) });
    const enrollment = chooseEnrollment({
      memberId: membership.memberId, typeName: type.spec.displayName, candidates: usable, enrollmentId: request.enrollmentId ?? null,
      connect: link(`Connect to ${type.spec.displayName}`),
    });
    const [[status], [credential], [typeStatus], life] = await Promise.all([
      this.store.enrollments.statuses([enrollment.id]), this.store.enrollments.credentials([enrollment.id]), this.store.connectionTypes.statuses([type.id]),
      type.spec.authMethod === 'OAUTH' ? this.store.oauthGrants.atNow(enrollment.id) : null,
    ]);
    // Deleted while we were reading: as if it had been gone before.
    if (status === undefined || credential === undefined || typeStatus === undefined) throw unknownType(request);
    const owned = enrollment.ownerId === membership.memberId;
    refuseUnusable({ type, enrollment, status, credential, owned, link });

    const target = enrollment.confirmedTarget;
    const value = await this.box.open({ teamId: type.teamId, enrollmentId: enrollment.id, version: credential.version, target }, credential.sealed, type.spec);
    const reachable = condition(typeStatus.conditions, 'Reachable')?.status;
    return {
      type, enrollment, teamId: type.teamId, memberId: membership.memberId, typeId: type.id, typeName: type.name, spec: type.spec, specVersion: type.version,
      reachable: reachable === 'TRUE' ? true : reachable === 'FALSE' ? false : null,
      enrollmentId: enrollment.id, enrollmentLabel: enrollment.label, credentialVersion: credential.version,
      headers: credentialHeaders(type.spec, value), scrubber: new Scrubber(credentialSecrets(type.spec, value)),
      sessionKey: sessionKeyOf(enrollment, credential.version, type),
      toolScopeId: typeStatus.toolsSource === null ? enrollment.id : type.id,
      toolsRead: (typeStatus.toolsSource === null ? status.toolsSyncedAt : typeStatus.toolsSyncedAt) !== null,
      login: life === null ? null : this.#login(life, owned ? link('Sign in again') : null),
    };
  }

  /** The database's clock is where the expiry was written by; from here on it is counted on the monotonic one. */
  #login({ grant, now }: { grant: OAuthGrant; now: Date }, repair: NextAction | null): RouteLogin {
    const until = usableUntil(grant);
    return { usableUntil: until === null ? null : this.clock() + until.getTime() - now.getTime(), unavailable: null, repair };
  }

  /** The member's own and the shared ones; where one is asked for, only that is read, since a member may have many. */
  async #enrollments(type: ConnectionType, { memberId }: Membership, asked: string | null): Promise<Enrollment[]> {
    if (asked !== null) {
      const enrollment = knownId(asked) ? await this.store.enrollments.byId(asked) : null;
      return enrollment?.connectionTypeId === type.id ? [enrollment] : [];
    }
    const [own, shared] = await Promise.all([this.store.enrollments.ofOwner(memberId, [type.id]), this.store.enrollments.shared(type.id)]);
    return [...new Map([...own, ...shared].map((enrollment) => [enrollment.id, enrollment])).values()];
  }

  async #type(request: CallRequest, candidates: readonly Membership[]): Promise<{ type: ConnectionType; membership: Membership }> {
    const [first] = candidates;
    if (first === undefined) throw unknownType(request);
    const { connectionType: name, connectionTypeId: id } = request;
    const type = name != null ? await this.store.connectionTypes.byName(first.teamId, name) : knownId(id) ? await this.store.connectionTypes.byId(id) : null;
    const membership = candidates.find((candidate) => candidate.teamId === type?.teamId);
    if (type === null || membership === undefined) throw unknownType(request);
    return { type, membership };
  }
}

const MAX_TYPES = 10_000;

/** Finds routes in memory, where nothing of the team changed since they were resolved. */
export class RouteFinder {
  /** Which team a type is in never changes: so an id leads to its team without a look. */
  readonly #teams = new Map<string, string>();

  constructor(private readonly routes: Routes, private readonly cache: TeamCache) {}

  /** See {@link Routes.resolve}. */
  async find(request: CallRequest, candidates: readonly Membership[]): Promise<Route> {
    const { connectionType, connectionTypeId, enrollmentId } = request;
    const teamId = connectionTypeId == null ? null : this.#teams.get(connectionTypeId);
    const membership = candidates.length === 1 ? candidates[0] : candidates.find((candidate) => candidate.teamId === teamId);
    if (membership !== undefined) {
      const type = connectionTypeId == null ? `name ${connectionType}` : `id ${connectionTypeId}`;
      return this.cache.through(membership.teamId, `route|${membership.memberId}|${type}|${enrollmentId == null ? 'any' : `only ${enrollmentId}`}`, () => this.routes.resolve(request, [membership]));
    }
    const route = await this.routes.resolve(request, candidates);
    this.#teams.set(route.typeId, route.teamId);
    if (this.#teams.size > MAX_TYPES) this.#teams.delete(this.#teams.keys().next().value!);
    return route;
  }
}

interface Situation {
  type: ConnectionType;
  enrollment: Enrollment;
  status: EnrollmentStatus;
  credential: Credential;
  owned: boolean;
  link: (label: string) => NextAction;
}

/** Why an enrollment can't be used now, with what its owner should do. */
function refuseUnusable({ type, enrollment, status, credential, owned, link }: Situation): void {
  const name = type.spec.displayName;
  if (!sameTarget(enrollment.confirmedTarget, currentTarget(type.spec))) {
    const message = owned
      ? `Where the credential for ${name} goes has changed since you enrolled. Look at the new address and confirm it.`
      : `Where the shared credential for ${name} goes has changed. Its owner has to confirm the new address.`;
    throw new UserFault('ENROLLMENT_SUSPENDED', message, owned ? { action: link('Confirm the new address') } : {});
  }
  const cleared = credential.kind !== 'NONE' && credential.sealed === null;
  if (type.spec.authMethod === 'OAUTH') return refuseLogin({ type, enrollment, status, credential, owned, link }, cleared);
  if (cleared || condition(status.conditions, 'Authorized')?.status === 'FALSE') {
    const message = owned
      ? `${cleared ? 'There is no credential' : 'The server no longer accepts your credential'} for ${name}. Enter a new one.`
      : `The shared credential for ${name} no longer works. Its owner has to enter a new one.`;
    throw new UserFault('ACTION_REQUIRED', message, owned ? { action: link('Enter a new credential') } : {});
  }
}

/** A login that was never made, or that only its owner can renew: the condition says why. */
function refuseLogin({ type, status, owned, link }: Situation, none: boolean): void {
  const authorized = condition(status.conditions, 'Authorized');
  if (!none && authorized?.status !== 'FALSE') return;
  const name = type.spec.displayName;
  const message = owned
    ? none ? `You haven't signed in to ${name} yet.` : `Your login for ${name} no longer works. ${authorized?.message ?? ''}`.trim()
    : `The shared login for ${name} no longer works. Its owner has to sign in again.`;
  throw new UserFault('ACTION_REQUIRED', message, owned ? { action: link(none ? 'Sign in' : 'Sign in again') } : {});
}

import { condition } from '#core/connection/condition.js';
import { credentialHeaders, credentialSecrets, type CredentialValue } from '#core/connection/credential.js';
import type { ConnectionTypeSpec } from '#core/connection/spec.js';
import type { NextAction } from '#core/errors.js';
import type { Assignment, AssignmentSlot } from '#core/store/entities/assignment.entity.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { OAuthGrant } from '#core/store/entities/oauth-grant.entity.js';
import type { DestructiveTools } from '#core/store/entities/team.entity.js';
import type { Repositories } from '#core/store/store.js';
import { Scrubber } from '#core/tool/scrub.js';
import type { CredentialBox } from '#core/upkeep/credential-box.js';
import { usableUntil } from '#core/upkeep/oauth-tokens-decision.js';
import type { ProviderUnavailable } from '#core/upkeep/oauth-tokens-wait.js';
import { VaultError } from '#core/vault/vault-error.js';
import type { Membership } from '../identity/principal.js';
import { actorKey, actorOf, unknownAssignment, type Actor } from './actor.js';
import { knownId, unknownType } from './call-input.js';
import type { CallRequest } from './call-request.js';
import { passage } from './passage.js';
import { Situations, type Approach } from './situations.js';
import type { TeamCache } from './team-cache.js';

/** Everything that a call needs to know besides its tool: resolved once, and used until something of the team changes. */
export interface Route {
  /** The rows that it was resolved from. */
  type: ConnectionType;
  enrollment: Enrollment;
  teamId: string;
  memberId: string;
  /** For whom it is. */
  actor: Actor;
  /** What the call is for, and what that allows of the type; null for a person's own call. */
  assignment: { row: Assignment; slot: AssignmentSlot } | null;
  /** The team's policy. */
  destructiveTools: DestructiveTools;
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
  /** What of them must not come back. */
  secrets: readonly string[];
  /** Takes the secrets out of what comes back. */
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
  readonly #situations: Situations;

  constructor(
    private readonly store: Repositories,
    private readonly box: CredentialBox,
    private readonly enrollLink: EnrollLink,
    /** Monotonic milliseconds. */
    private readonly clock: () => number,
  ) {
    this.#situations = new Situations(store);
  }

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
    const actor = actorOf(request, membership);
    const assignment = actor.assignmentId === null ? null : await this.#assignment(request, actor.assignmentId, type);
    const link = (label: string): NextAction => ({ label, url: this.enrollLink(membership, type.name) });
    const readAt = this.clock();
    const [situation] = await this.#situations.of({ types: [type], ...this.#approach(request, actor), link: (_type, label) => link(label) });
    const { enrollment, status, credential, life } = passage(situation!);
    const [[team], [typeStatus]] = await Promise.all([this.store.teams.byIds([type.teamId]), this.store.connectionTypes.statuses([type.id])]);
    // Deleted while we were reading: as if it had been gone before.
    if (team === undefined || typeStatus === undefined) throw unknownType(request);
    const owned = enrollment.ownerId === actor.personId;

    const target = enrollment.confirmedTarget;
    const value = await this.box.open({ teamId: type.teamId, enrollmentId: enrollment.id, version: credential.version, target }, credential.sealed, type.spec);
    const reachable = condition(typeStatus.conditions, 'Reachable')?.status;
    return {
      type, enrollment, teamId: type.teamId, memberId: membership.memberId, actor, assignment, destructiveTools: team.destructiveTools, typeId: type.id, typeName: type.name, spec: type.spec, specVersion: type.version,
      reachable: reachable === 'TRUE' ? true : reachable === 'FALSE' ? false : null,
      enrollmentId: enrollment.id, enrollmentLabel: enrollment.label, credentialVersion: credential.version,
      ...presented(type.spec, value),
      sessionKey: sessionKeyOf(enrollment, credential.version, type),
      toolScopeId: typeStatus.toolsSource === null ? enrollment.id : type.id,
      toolsRead: (typeStatus.toolsSource === null ? status.toolsSyncedAt : typeStatus.toolsSyncedAt) !== null,
      login: life === null ? null : this.#login({ ...life, readAt }, owned ? link('Sign in again') : null),
    };
  }

  /** The database's clock is where the expiry was written by; from here on it is counted on the monotonic one, which was read before that. */
  #login({ grant, now, readAt }: { grant: OAuthGrant; now: Date; readAt: number }, repair: NextAction | null): RouteLogin {
    const until = usableUntil(grant);
    return { usableUntil: until === null ? null : readAt + until.getTime() - now.getTime(), unavailable: null, repair };
  }

  /** A program is told of the person in the third person. */
  #approach({ principal, enrollmentId }: CallRequest, { personId, assignmentId, onBehalfOf }: Actor): Pick<Approach, 'person' | 'assignmentId' | 'asked'> {
    const person = personId === null ? null : { id: personId, name: onBehalfOf ? principal.displayName : null };
    return { person, assignmentId, asked: enrollmentId ?? null };
  }

  /** A type that the assignment has no slot for is as unknown to it as one that isn't there. */
  async #assignment(request: CallRequest, assignmentId: string, type: ConnectionType): Promise<{ row: Assignment; slot: AssignmentSlot }> {
    const row = knownId(assignmentId) ? await this.store.assignments.byId(assignmentId) : null;
    if (row === null || row.teamId !== type.teamId) throw unknownAssignment();
    const slot = await this.store.assignments.slot(row.id, type.id);
    if (slot === null) throw unknownType(request);
    return { row, slot };
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

/** A credential as it is sent, and what takes it out of what comes back. */
export function presented(spec: ConnectionTypeSpec, value: CredentialValue): Pick<Route, 'headers' | 'secrets' | 'scrubber'> {
  const secrets = credentialSecrets(spec, value);
  return { headers: credentialHeaders(spec, value), secrets, scrubber: new Scrubber(secrets) };
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
      return this.cache.through(membership.teamId, `route|${membership.memberId}|${actorKey(actorOf(request, membership))}|${type}|${enrollmentId == null ? 'any' : `only ${enrollmentId}`}`, () => this.routes.resolve(request, [membership]));
    }
    const route = await this.routes.resolve(request, candidates);
    this.#teams.set(route.typeId, route.teamId);
    if (this.#teams.size > MAX_TYPES) this.#teams.delete(this.#teams.keys().next().value!);
    return route;
  }
}

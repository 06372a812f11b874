import { connectionTypeName, connectionTypeSpec, deriveName, type ConnectionTypeSpec } from '#core/connection/spec.js';
import { currentTarget, sameTarget } from '#core/connection/target.js';
import { UserFault } from '#core/errors.js';
import { canonicalJson } from '#core/json/canonical.js';
import type { ProbeReport } from '#core/mcp/probe.js';
import { isUniqueViolation } from '#core/store/conflict.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { OAuthClient } from '#core/store/entities/oauth-client.entity.js';
import type { Repositories, Store } from '#core/store/store.js';
import type { Leftovers } from '#core/upkeep/leftovers.js';
import type { Upkeep } from '#core/upkeep/upkeep.js';
import { connectionTypeById, requireOwnOrigin, requireRole, teamBySlug } from '../../access.js';
import { parseInput } from '../../graphql/parse-input.js';
import { withoutNulls } from '../../graphql/without-nulls.js';
import type { RateLimit } from '../../rate-limit.js';
import type { Act } from '../../mutation.js';
import { refuseElsewhere, secretOf, type OAuthPlanner } from './oauth-plan.js';
import type { CheckConnectionTypeInput, CreateConnectionTypeInput, DeleteConnectionTypeInput, UpdateConnectionTypeInput } from './connection-type.input.js';

/** Rules of the catalog (design sections 3.1 and 4). */
export class ConnectionTypeManager {
  constructor(private readonly store: Store, private readonly upkeep: Upkeep, private readonly planner: OAuthPlanner, private readonly leftovers: Leftovers, private readonly checks: RateLimit) {}

  /** Managers only. Looks at the server first, and refuses what can't work. */
  async create(act: Act, input: CreateConnectionTypeInput): Promise<ConnectionType> {
    const { principal } = act.context;
    const { team, membership } = await teamBySlug(this.store, principal, input.team);
    act.about(team.id);
    requireRole(membership, 'MANAGER', 'Adding connection types');
    const { team: _team, name: wanted, allowUnreachable, ...fields } = input;
    const spec = parseInput(connectionTypeSpec, withoutNulls(fields));
    const client = { clientSecret: secretOf(input.oauth, 'clientSecret') ?? null, initialAccessToken: secretOf(input.oauth, 'initialAccessToken') ?? null };
    const name = wanted == null ? deriveName(spec.displayName) : parseInput(connectionTypeName, wanted, ['input', 'name']);
    if (name === null) throw new UserFault('INVALID', 'No name can be derived from this display name: give one, e.g. warehouse-api.', { field: ['input', 'name'] });
    const holder = await this.store.connectionTypes.evenHiddenByName(team.id, name);
    if (holder !== null) throw nameTaken(name, holder.deletedAt != null);
    this.checks.take(membership.memberId);
    const report = await this.upkeep.look(spec);
    refuseUnusable(spec, report, allowUnreachable === true);
    const plan = await this.planner.plan(spec, client, report);
    const insert = async (repositories: Repositories) => {
      const type = await repositories.connectionTypes.insert(team.id, name, spec);
      await this.upkeep.status.writeType(repositories, type, report, 'NONE');
      act.about(team.id, { type: 'ConnectionType', id: type.id, name });
      return { type, client: plan === null ? null : await this.planner.save(repositories, type, plan) };
    };
    try {
      if (plan === null) return (await act.commit(insert)).type;
      // On record before anything is registered; what is refused then is taken back.
      const { type, client: recorded } = await this.store.transaction(insert);
      try {
        await this.planner.finish(type, recorded!, plan);
      } catch (error) {
        await this.store.transaction((repositories) => repositories.connectionTypes.remove(type.id, null));
        throw error;
      }
      return await act.commit(async () => type);
    } catch (error) {
      if (isUniqueViolation(error)) throw nameTaken(name);
      throw error;
    }
  }

  /** Managers only. A change of the place that credentials go to suspends every enrollment, and the server is looked at first. */
  async update(act: Act, input: UpdateConnectionTypeInput): Promise<ConnectionType> {
    const { type, membership } = await this.editable(act, input.id, 'Changing connection types');
    const { id: _id, expectedVersion, allowUnreachable, ...changes } = input;
    if (type.version !== expectedVersion) throw staleVersion(type);
    const given = secretOf(input.oauth, 'clientSecret');
    const initialAccessToken = secretOf(input.oauth, 'initialAccessToken') ?? null;
    const spec = parseInput(connectionTypeSpec, merged(type.spec, changes));
    // Naming a client again says that our new redirect URI is registered for it.
    const rebound = input.oauth?.clientId != null && spec.authMethod === 'OAUTH' && (await this.planner.boundElsewhere(this.store, type.id));
    // The version is the generation of the spec: what changes nothing doesn't move it.
    if (canonicalJson(spec) === canonicalJson(type.spec) && given === undefined && initialAccessToken === null && !rebound) return act.commit(async () => type);
    const moved = !sameTarget(currentTarget(type.spec), currentTarget(spec));
    const otherClient = spec.authMethod === 'OAUTH' && (moved || rebound || given !== undefined || initialAccessToken !== null || spec.oauth?.clientId !== type.spec.oauth?.clientId);
    if (moved || otherClient) this.checks.take(membership.memberId);
    const report = moved || otherClient ? await this.upkeep.look(spec) : null;
    if (report !== null) refuseUnusable(spec, report, allowUnreachable === true);
    // A secret goes with its client, and with the place that it was entered for.
    const before = report === null ? null : await this.store.oauthClients.discovery(type.id);
    const kept = given === undefined && !moved && spec.oauth?.clientId === type.spec.oauth?.clientId ? await this.planner.storedSecret(this.store, type.id) : null;
    const plan = report === null ? null : await this.planner.plan(spec, { clientSecret: given ?? kept, initialAccessToken }, report, before);
    if (plan !== null && kept !== null) refuseElsewhere(plan);
    let client: OAuthClient | null = null;
    const updated = await act.commit(async (repositories) => {
      if (!(await repositories.connectionTypes.updateSpec(type.id, expectedVersion, spec))) throw staleOrGone(await repositories.connectionTypes.byId(type.id));
      const current = (await repositories.connectionTypes.byId(type.id))!;
      if (plan !== null) client = await this.planner.save(repositories, current, plan);
      if (!moved || report === null) await this.upkeep.status.restamp(repositories, current);
      else {
        await this.upkeep.status.moved(repositories, current);
        await this.upkeep.status.writeType(repositories, current, report, 'NONE');
      }
      return current;
    });
    if (plan !== null && client !== null) await this.planner.finish(updated, client, plan);
    if (moved) await this.upkeep.readLogins(type.id);
    return updated;
  }

  /** Managers only. The type, its enrollments and their sealed values are gone when this returns; what they leave at providers is undone after that. */
  async delete(act: Act, input: DeleteConnectionTypeInput): Promise<number> {
    const { type } = await this.editable(act, input.id, 'Deleting connection types');
    await this.leftovers.prepare(type.teamId);
    const { count, left } = await act.commit(async (repositories) => {
      const ids = await this.leftovers.collect(repositories, { connectionTypeId: type.id });
      const removed = await repositories.connectionTypes.remove(type.id, input.expectedVersion ?? null);
      if (removed === null) throw staleOrGone(await repositories.connectionTypes.byId(type.id));
      return { count: removed.enrollmentIds.length, left: ids };
    });
    this.leftovers.begin(left);
    return count;
  }

  /** Any member: looks at the server now, and reads the tools that the type or the caller's own logins list. */
  async check(act: Act, input: CheckConnectionTypeInput): Promise<ConnectionType> {
    const { type, membership } = await connectionTypeById(this.store, act.context.principal, input.id);
    act.about(type.teamId, { type: 'ConnectionType', id: type.id, name: type.name });
    this.checks.take(membership.memberId);
    const own = await this.store.enrollments.ofOwner(membership.memberId, [type.id]);
    await this.upkeep.checkType(type.id);
    await Promise.all(own.map((enrollment) => this.upkeep.checkEnrollment(enrollment.id)));
    return act.commit(async (repositories) => {
      const checked = await repositories.connectionTypes.byId(type.id);
      if (checked === null) throw staleOrGone(null);
      return checked;
    });
  }

  private async editable(act: Act, id: string, todo: string) {
    const found = await connectionTypeById(this.store, act.context.principal, id);
    act.about(found.type.teamId, { type: 'ConnectionType', id: found.type.id, name: found.type.name });
    requireRole(found.membership, 'MANAGER', todo);
    await requireOwnOrigin(this.store, found.type);
    return found;
  }
}

function nameTaken(name: string, hidden = false): UserFault {
  const message = hidden
    ? `A connection type "${name}", whose manifest was deleted, holds that name until its grace is over: give another "name", or apply its manifest again.`
    : `The team has a connection type "${name}" already: give another "name".`;
  return new UserFault('ALREADY_EXISTS', message, { field: ['input', 'name'] });
}

function staleVersion(type: ConnectionType): UserFault {
  return new UserFault('STALE_VERSION', `The connection type was changed since you read it: it is at version ${type.version} now. Read it again, then repeat your change.`, { field: ['input', 'expectedVersion'] });
}

function staleOrGone(current: ConnectionType | null): UserFault {
  return current === null ? new UserFault('NOT_FOUND', 'The connection type was deleted meanwhile.', { field: ['input', 'id'] }) : staleVersion(current);
}

/** What can't work isn't saved. */
function refuseUnusable(spec: ConnectionTypeSpec, report: ProbeReport, allowUnreachable: boolean): void {
  const field = ['input', 'serverUrl'];
  if (report.verdict === 'UNREACHABLE') {
    if (allowUnreachable) return;
    throw new UserFault('SERVER_REFUSED', `${report.message} To save it all the same, set "allowUnreachable".`, { field, retryable: true });
  }
  if (report.verdict === 'AUTHENTICATION_REQUIRED' && spec.authMethod === 'NONE') {
    throw new UserFault('SERVER_REFUSED', 'The server wants a credential: choose the auth method ACCESS_TOKEN, CUSTOM_HEADERS or OAUTH.', { field: ['input', 'authMethod'] });
  }
  if (report.verdict !== 'OK' && report.verdict !== 'AUTHENTICATION_REQUIRED') throw new UserFault('SERVER_REFUSED', report.message, { field });
}

/** The spec with the changes laid over it: absent keeps, a value replaces, null goes back to the default. */
function merged(spec: ConnectionTypeSpec, changes: Record<string, unknown>): Record<string, unknown> {
  const next: Record<string, unknown> = { ...spec };
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) continue;
    const old = next[key];
    if (value === null) delete next[key];
    else if (typeof value === 'object' && !Array.isArray(value) && typeof old === 'object' && old !== null) next[key] = mergedLeaves(old as Record<string, unknown>, value as Record<string, unknown>);
    else next[key] = withoutNulls(value);
  }
  if (next.authMethod !== 'ACCESS_TOKEN' && changes.accessToken == null) delete next.accessToken;
  if (next.authMethod !== 'CUSTOM_HEADERS' && changes.headers == null) delete next.headers;
  if (next.authMethod !== 'OAUTH' && changes.oauth == null) delete next.oauth;
  return next;
}

function mergedLeaves(old: Record<string, unknown>, changes: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries({ ...old, ...changes }).filter(([, value]) => value !== null && value !== undefined));
}

import { sameMeaning, withObservations, type Observation } from '#core/connection/condition.js';
import { PeerFault } from '#core/errors.js';
import type { SessionPool } from '#core/mcp/session-pool.js';
import { insufficientScope } from '#core/oauth/challenge.js';
import { MAX_SCOPES, scopeUnion } from '#core/oauth/scopes.js';
import type { ScheduleKey } from '#core/store/schedule.js';
import type { Repositories, Store } from '#core/store/store.js';
import { scopesWanted } from '#core/upkeep/oauth-tokens-observations.js';
import { ProviderUnavailable } from '#core/upkeep/oauth-tokens-wait.js';
import { authorization } from '#core/upkeep/observations.js';
import type { Route } from './route.js';

/** What {@link Findings} is built of. */
export interface FindingsOptions {
  store: Store;
  sessions: SessionPool;
  /** Forgets what is cached of a team. */
  forget: (teamId: string) => void;
  /** Makes the object due, so that the operator looks at it: a server whose health, or a list of tools that, is other than on record. Never rejects. */
  due: (object: ScheduleKey) => Promise<void>;
  now: () => Date;
}

/** An object isn't made due again within this time, whatever servers say. */
const DUE_EVERY_MS = 5000;

/** What calls see in passing: a refused credential ends the enrollment's good standing; a server that is other than on record is looked at by the operator. */
export class Findings {
  readonly #due = new Map<string, number>();

  constructor(private readonly options: FindingsOptions) {}

  /**
   * @param error what ended a call, or null when the server answered it
   * @param toolsChanged the server said that its list of tools is another one now
   */
  async note(route: Route, error: unknown, toolsChanged = false): Promise<void> {
    const reachable = reachableBy(error);
    if (reachable !== null && reachable !== route.reachable) this.#makeDue(route, { kind: 'ConnectionType', id: route.typeId });
    if (toolsChanged) this.#makeDue(route, route.toolScopeId === route.enrollmentId ? { kind: 'Enrollment', id: route.enrollmentId } : { kind: 'ConnectionType', id: route.typeId });
    // A type without credentials has none that could be refused, and nothing that its teammates could enter.
    if (error instanceof PeerFault && error.status === 401 && route.spec.authMethod !== 'NONE') {
      this.options.sessions.drop(route.sessionKey);
      if (await this.#refuseCredential(route)) this.options.forget(route.teamId);
    }
    if (error instanceof PeerFault && error.code === 'INSUFFICIENT_SCOPE' && route.login !== null) {
      if (await this.#wantScopes(route, insufficientScope(error.challenge) ?? [])) this.options.forget(route.teamId);
    }
  }

  #makeDue({ teamId }: Route, object: ScheduleKey): void {
    const now = this.options.now().getTime();
    if (now - (this.#due.get(object.id) ?? 0) < DUE_EVERY_MS) return;
    for (const [id, at] of this.#due) if (now - at >= DUE_EVERY_MS) this.#due.delete(id);
    this.#due.set(object.id, now);
    void this.options.due(object).then(() => this.options.forget(teamId));
  }

  /**
   * The enrollment's `Authorized` becomes false, so that its state is `ACTION_REQUIRED` and nobody tries the dead key again.
   * A credential that was replaced meanwhile is left alone. Returns whether something was written.
   */
  #refuseCredential(route: Route): Promise<boolean> {
    return this.#observe(route, async () => authorization(route.spec.authMethod, 'REJECTED'));
  }

  /** Step-up: the next consent, of the same enrollment, asks for what was granted and what is missing. */
  #wantScopes(route: Route, missing: readonly string[]): Promise<boolean> {
    return this.#observe(route, async (repositories) => {
      const grant = await repositories.oauthGrants.byId(route.enrollmentId);
      // A server that wants another one each time: those that it wanted before go first.
      const wantedScopes = scopeUnion(grant?.scopes ?? [], missing, grant?.wantedScopes ?? []).slice(0, 2 * MAX_SCOPES);
      await repositories.oauthGrants.update(route.enrollmentId, { wantedScopes });
      return scopesWanted(missing);
    });
  }

  #observe(route: Route, observe: (repositories: Repositories) => Promise<Observation[]>): Promise<boolean> {
    return this.options.store.transaction(async (repositories) => {
      // Locks both, so that two refusals, or one and a new credential, are written one after the other.
      if (!(await repositories.enrollments.isAtVersion(route.enrollmentId, route.credentialVersion))) return false;
      await repositories.manager.query('select from enrollment_status where enrollment_id = $1 for update', [route.enrollmentId]);
      const [status] = await repositories.enrollments.statuses([route.enrollmentId]);
      if (status === undefined) return false;
      const conditions = withObservations(status.conditions, await observe(repositories), route.specVersion, this.options.now());
      if (sameMeaning(status.conditions, conditions)) return false;
      await repositories.enrollments.updateStatus(route.enrollmentId, { conditions });
      await repositories.announce(route.teamId);
      return true;
    });
  }
}

/** What the end of a call says about the server's health; null for nothing: a cancelled call, or a tool that took too long. */
function reachableBy(error: unknown): boolean | null {
  if (error === null) return true;
  // An authorization server that doesn't answer says nothing of the MCP server.
  if (!(error instanceof PeerFault) || error instanceof ProviderUnavailable) return null;
  if (error.code === 'UNREACHABLE') return error.status === 429;
  if (error.code === 'TIMEOUT') return error.sent === 'NOTHING' ? false : null;
  return true;
}

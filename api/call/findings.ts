import { sameMeaning, withObservations } from '#core/connection/condition.js';
import { PeerFault } from '#core/errors.js';
import type { SessionPool } from '#core/mcp/session-pool.js';
import type { Store } from '#core/store/store.js';
import { authorization } from '#core/upkeep/observations.js';
import type { Route } from './route.js';

/** What {@link Findings} is built of. */
export interface FindingsOptions {
  store: Store;
  sessions: SessionPool;
  /** Forgets what is cached of a team. */
  forget: (teamId: string) => void;
  /** Looks at the type now, and writes what it sees; never rejects. */
  typeDue: (connectionTypeId: string) => Promise<void>;
  now: () => Date;
}

/** A type isn't made due again within this time. */
const DUE_EVERY_MS = 5000;

/** What calls see in passing: a refused credential ends the enrollment's good standing; a server that is other than on record makes its type due. */
export class Findings {
  readonly #due = new Map<string, number>();

  constructor(private readonly options: FindingsOptions) {}

  /** `error` is what ended a call, or null when the server answered it. */
  async note(route: Route, error: unknown): Promise<void> {
    const reachable = reachableBy(error);
    if (reachable !== null && reachable !== route.reachable) this.#makeDue(route);
    // A type without credentials has none that could be refused, and nothing that its teammates could enter.
    if (error instanceof PeerFault && error.status === 401 && route.spec.authMethod !== 'NONE') {
      this.options.sessions.drop(route.sessionKey);
      if (await this.#refuseCredential(route)) this.options.forget(route.teamId);
    }
  }

  #makeDue({ teamId, typeId }: Route): void {
    const now = this.options.now().getTime();
    if (now - (this.#due.get(typeId) ?? 0) < DUE_EVERY_MS) return;
    for (const [id, at] of this.#due) if (now - at >= DUE_EVERY_MS) this.#due.delete(id);
    this.#due.set(typeId, now);
    void this.options.typeDue(typeId).then(() => this.options.forget(teamId));
  }

  /**
   * The enrollment's `Authorized` becomes false, so that its state is `ACTION_REQUIRED` and nobody tries the dead key again.
   * A credential that was replaced meanwhile is left alone. Returns whether something was written.
   */
  #refuseCredential(route: Route): Promise<boolean> {
    return this.options.store.transaction(async (repositories) => {
      // Locks the row, so that two refusals, or one and a new credential, are written one after the other.
      await repositories.manager.query('select from enrollment_status where enrollment_id = $1 for update', [route.enrollmentId]);
      const [credential] = await repositories.enrollments.credentials([route.enrollmentId]);
      const [status] = await repositories.enrollments.statuses([route.enrollmentId]);
      if (credential?.version !== route.credentialVersion || status === undefined) return false;
      const conditions = withObservations(status.conditions, authorization(route.spec.authMethod, 'REJECTED'), route.specVersion, this.options.now());
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
  if (!(error instanceof PeerFault)) return null;
  if (error.code === 'UNREACHABLE') return error.status === 429;
  if (error.code === 'TIMEOUT') return error.sent === 'NOTHING' ? false : null;
  return true;
}

import { condition, sameMeaning, withObservations, type Condition, type Observation } from '../connection/condition.js';
import { currentTarget, sameTarget } from '../connection/target.js';
import type { ProbeReport } from '../mcp/probe.js';
import type { RawTool } from '../mcp/session.js';
import type { ConnectionType, ConnectionTypeStatus } from '../store/entities/connection-type.entity.js';
import type { Repositories } from '../store/store.js';
import { ISSUER_CHANGED } from './issuer-changed.js';
import { INSUFFICIENT_SCOPE } from './oauth-tokens-observations.js';
import { authorization, resumed, SUSPENDED, TOOLS_NOT_READ, type CredentialVerdict } from './observations.js';
import { answers, outcomeOfLook, type SharedList } from './look-outcome.js';
import { syncTools } from './tool-sync.js';

/** What trying a credential showed. */
export interface CredentialTrial {
  verdict: CredentialVerdict;
  report: ProbeReport;
  /** What the server showed without the credential, at the same time. */
  stranger: ProbeReport;
  /** The tools that this login sees, scrubbed of the credential; null when they could not be read. */
  tools: RawTool[] | null;
}

interface Locked {
  type: ConnectionType;
  status: ConnectionTypeStatus;
}

/**
 * Writes what was seen as conditions and lists of tools. Everything is for use inside a transaction, takes the type's lock first, and says whether it wrote
 * anything that callers rely on: times alone don't count.
 */
export class StatusWriter {
  constructor(private readonly clock: () => Date) {}

  /**
   * Writes what a look at the server showed. Nothing, when the type was deleted or moved to another place since it was looked at.
   * @param routine a server that was there is given up after three failures in a row; otherwise after this one
   * @param began when the look began, where it knew whether anybody shares a login
   */
  async writeType(repositories: Repositories, seen: ConnectionType, report: ProbeReport, shared: SharedList, routine = false, began: Date | null = null): Promise<boolean> {
    const locked = await lockSeen(repositories, seen);
    if (locked === null) return false;
    const { toolsSource, toolsSyncedAt } = locked.status;
    // A login was shared, and its list read, since the look found nobody who shares one.
    const outdated = shared === 'NONE' && toolsSource === 'SHARED' && began !== null && toolsSyncedAt !== null && toolsSyncedAt > began;
    return (await this.#write(repositories, locked, report, outdated ? 'AS_IT_IS' : shared, routine)).changed;
  }

  /**
   * Writes what trying a credential showed, of the enrollment and of its type. Nothing, when one of them was deleted, or moved to another place since.
   * @param version of the credential that was tried, where another may have taken its place meanwhile
   * @param routine a server that could not be asked says nothing of the login
   */
  async writeTrial(repositories: Repositories, seen: ConnectionType, enrollmentId: string, trial: CredentialTrial, version: number | null = null, routine = false): Promise<boolean> {
    const locked = await lockSeen(repositories, seen);
    const enrollment = locked === null ? null : await repositories.enrollments.lock(enrollmentId);
    if (locked === null || enrollment === null) return false;
    if (version !== null && (await repositories.enrollments.credentials([enrollmentId]))[0]?.version !== version) return false;
    const ofType = await this.#write(repositories, locked, reportOf(trial), enrollment.shared && trial.tools !== null ? trial.tools : 'AS_IT_IS', routine);
    if (routine && trial.verdict === 'NOT_TRIED') return ofType.changed;

    const now = this.clock();
    const [status] = await repositories.enrollments.statuses([enrollmentId]);
    const before = status?.conditions ?? [];
    const conditions = withObservations(before, tried(before, authorization(locked.type.spec.authMethod, trial.verdict)), locked.type.version, now);
    let changed = ofType.changed || !sameMeaning(before, conditions);
    let toolsSyncedAt = status?.toolsSyncedAt ?? null;
    if (ofType.toolsSource === null && trial.tools !== null) {
      const scope = { ...typeScope(locked.type), enrollmentId };
      changed = (await syncTools(repositories, scope, trial.tools, locked.type.spec.toolPolicy.onChange, now)) || toolsSyncedAt === null || changed;
      toolsSyncedAt = now;
    } else if (ofType.toolsSource !== null) toolsSyncedAt = null;
    await repositories.enrollments.updateStatus(enrollmentId, { conditions, toolsSyncedAt, ...(trial.verdict === 'NOT_TRIED' ? {} : { triedAt: now }) });
    return changed;
  }

  /** Writes what is known of an enrollment without asking its server: that its owner has yet to consent, or that its tokens are new. */
  async writeEnrollment(repositories: Repositories, seen: ConnectionType, enrollmentId: string, observations: readonly Observation[]): Promise<boolean> {
    const locked = await lockSeen(repositories, seen);
    if (locked === null || (await repositories.enrollments.lock(enrollmentId)) === null) return false;
    const [status] = await repositories.enrollments.statuses([enrollmentId]);
    const before = status?.conditions ?? [];
    const conditions = withObservations(before, observations, locked.type.version, this.clock());
    if (sameMeaning(before, conditions)) return false;
    await repositories.enrollments.updateStatus(enrollmentId, { conditions });
    return true;
  }

  /** After a change of the spec that moved neither address nor method: what was observed holds for the new version too. */
  async restamp(repositories: Repositories, type: ConnectionType): Promise<void> {
    const locked = await repositories.connectionTypes.lock(type.id);
    if (locked === null) return;
    const conditions = withObservations(locked.status.conditions, locked.status.conditions.map(asObservation), type.version, this.clock());
    await repositories.connectionTypes.updateStatus(type.id, { conditions });
  }

  /**
   * After a change of the place that credentials go to: forgets what was seen of the old server, suspends the enrollments that were confirmed for another
   * place, and wakes those that were confirmed for this one (a type that goes back to where it was).
   */
  async moved(repositories: Repositories, type: ConnectionType): Promise<void> {
    const locked = await repositories.connectionTypes.lock(type.id);
    if (locked === null) return;
    const now = this.clock();
    const target = currentTarget(type.spec);
    const enrollments = await repositories.enrollments.ofType(type.id);
    const statuses = new Map((await repositories.enrollments.statuses(enrollments.map((one) => one.id))).map((status) => [status.enrollmentId, status]));
    for (const { id, confirmedTarget } of enrollments) {
      const before = statuses.get(id)?.conditions ?? [];
      const ready = sameTarget(confirmedTarget, target) ? resumed(before) : SUSPENDED;
      await repositories.enrollments.updateStatus(id, { conditions: ready === null ? before : withObservations(before, [ready], type.version, now), toolsSyncedAt: null });
    }
    await repositories.schedule.mark('Enrollment', enrollments.map((one) => one.id));
    const conditions = withObservations(locked.status.conditions, [TOOLS_NOT_READ], type.version, now);
    await repositories.connectionTypes.updateStatus(type.id, { conditions, toolsSource: null, toolsSyncedAt: null, failedChecks: 0, era: null, protocolVersion: null, serverName: null, serverVersion: null });
  }

  /** Tools that a list no longer has stay on record, so that what was accepted is still known when the list comes back. */
  async #write(repositories: Repositories, { type, status }: Locked, report: ProbeReport, shared: SharedList, routine: boolean): Promise<{ changed: boolean; toolsSource: ConnectionTypeStatus['toolsSource'] }> {
    const now = this.clock();
    const { list, values, moved, toolsSource } = outcomeOfLook({ type, status }, report, shared, routine, now);
    let changed = false;
    if (typeof list === 'object') {
      changed = await syncTools(repositories, typeScope(type), list.tools, type.spec.toolPolicy.onChange, now);
      if (status.toolsSource === null) await repositories.enrollments.endOwnLists(type.id);
    }
    await repositories.connectionTypes.updateStatus(type.id, values);
    return { changed: changed || moved || toolsSource !== status.toolsSource, toolsSource };
  }
}

/** The type under its lock, if it still is where it was looked at. */
async function lockSeen(repositories: Repositories, seen: ConnectionType): Promise<Locked | null> {
  const locked = await repositories.connectionTypes.lock(seen.id);
  return locked !== null && sameTarget(currentTarget(locked.type.spec), currentTarget(seen.spec)) ? locked : null;
}

/** What a trial says of the server: as a stranger sees it, unless only the login got through. */
function reportOf({ report, stranger }: CredentialTrial): ProbeReport {
  if (answers(stranger) || !answers(report)) return { ...stranger, ...(stranger.protocolVersion === null ? server(report) : {}) };
  return { ...report, tools: null };
}

function typeScope(type: ConnectionType) {
  return { teamId: type.teamId, connectionTypeId: type.id, enrollmentId: null };
}

function server({ era, protocolVersion, server: found }: ProbeReport): Pick<ProbeReport, 'era' | 'protocolVersion' | 'server'> {
  return { era, protocolVersion, server: found };
}

function asObservation({ type, status, reason, message }: Observation): Observation {
  return { type, status, reason, message };
}

/** What a trial says, unless only consent helps: where a call wanted more rights than the login has, that it lists its tools all the same changes nothing, nor does it where logins come from another issuer now. */
function tried(before: readonly Condition[], observed: Observation[]): Observation[] {
  const reason = condition(before, 'Authorized')?.reason;
  const stays = reason === ISSUER_CHANGED || (reason === INSUFFICIENT_SCOPE && !observed.some((one) => one.type === 'Authorized' && one.status === 'FALSE'));
  return stays ? observed.filter((one) => one.type !== 'Authorized' && one.type !== 'Ready') : observed;
}

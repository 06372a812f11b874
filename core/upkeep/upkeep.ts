import { withObservations, sameMeaning, type Observation } from '../connection/condition.js';
import { credentialHeaders, credentialSecrets, type CredentialValue } from '../connection/credential.js';
import type { ConnectionTypeSpec } from '../connection/spec.js';
import { currentTarget, sameTarget } from '../connection/target.js';
import type { ProbeReport } from '../mcp/probe.js';
import type { RawTool } from '../mcp/session.js';
import type { ConnectionType, ConnectionTypeStatus } from '../store/entities/connection-type.entity.js';
import type { Enrollment } from '../store/entities/enrollment.entity.js';
import type { Repositories, Store } from '../store/store.js';
import { Scrubber } from '../tool/scrub.js';
import type { CredentialBox } from './credential-box.js';
import { authorization, credentialVerdict, reachability, toolsSynced, type CredentialVerdict } from './observations.js';
import { syncTools } from './tool-sync.js';

/** Looks at a server, with or without a credential; never throws for what the server does. */
export type Prober = (url: string, headers: Record<string, string>, timeoutMs: number) => Promise<ProbeReport>;

/** What trying a credential showed. */
export interface CredentialTrial {
  verdict: CredentialVerdict;
  report: ProbeReport;
  /** The tools that this login sees, scrubbed of the credential; null when they could not be read. */
  tools: RawTool[] | null;
}

/**
 * The acts that keep connections true: looking at servers, trying credentials, reading tools, and writing what was seen as conditions.
 * Each is idempotent and level-triggered: it starts from what is stored, and a second run right after the first writes nothing but times.
 * No transaction is open while the network is asked.
 */
export class Upkeep {
  constructor(private readonly store: Store, private readonly box: CredentialBox, private readonly probe: Prober, private readonly clock: () => Date) {}

  /** Looks at the server as a stranger. */
  look(spec: ConnectionTypeSpec): Promise<ProbeReport> {
    return this.probe(spec.serverUrl, {}, spec.health.timeoutSeconds * 1000);
  }

  /** Tries a credential, and compares with what a stranger sees. */
  async tryCredential(spec: ConnectionTypeSpec, value: CredentialValue): Promise<CredentialTrial> {
    const headers = credentialHeaders(spec, value);
    const bare = Object.keys(headers).length === 0;
    const [report, without] = await Promise.all([this.probe(spec.serverUrl, headers, spec.health.timeoutSeconds * 1000), bare ? null : this.look(spec)]);
    const tools = report.tools === null ? null : new Scrubber(credentialSecrets(spec, value)).value(report.tools);
    return { verdict: credentialVerdict(spec.authMethod, report, without), report, tools };
  }

  /** Looks at a type's server now, and writes conditions and, where it belongs to the type, its list of tools. */
  async checkType(typeId: string): Promise<void> {
    const type = await this.store.connectionTypes.byId(typeId);
    if (type === null) return;
    const report = await this.look(type.spec);
    const shared = report.verdict === 'AUTHENTICATION_REQUIRED' ? await this.listThroughShared(type) : null;
    await this.store.transaction((repositories) => this.writeType(repositories, type, report, shared));
  }

  /** Tries an enrollment's stored credential now, and writes its conditions and its own list of tools. Suspended and empty ones are left alone. */
  async checkEnrollment(enrollmentId: string): Promise<void> {
    const opened = await this.openEnrollment(enrollmentId);
    if (opened === null) return;
    const { type, enrollment, value, version } = opened;
    const trial = await this.tryCredential(type.spec, value);
    await this.store.transaction(async (repositories) => {
      const [credential] = await repositories.enrollments.credentials([enrollmentId]);
      if (credential?.version !== version) return;
      await this.writeTrial(repositories, type, enrollment, trial);
    });
  }

  /** Writes what a trial showed. For use inside a transaction, after the credential was stored. */
  async writeTrial(repositories: Repositories, type: ConnectionType, enrollment: Enrollment, trial: CredentialTrial): Promise<void> {
    const now = this.clock();
    const [status] = await repositories.enrollments.statuses([enrollment.id]);
    const conditions = withObservations(status?.conditions ?? [], authorization(type.spec.authMethod, trial.verdict), type.version, now);
    const values = { conditions, toolsSyncedAt: status?.toolsSyncedAt ?? null };
    if (trial.tools !== null) {
      const typeStatus = await repositories.connectionTypes.status(type.id);
      const own = typeStatus.toolsSource === null && !enrollment.shared;
      if (own) {
        await syncTools(repositories, { teamId: type.teamId, connectionTypeId: type.id, enrollmentId: enrollment.id }, trial.tools, type.spec.toolPolicy.onChange, now);
        values.toolsSyncedAt = now;
      } else if (enrollment.shared && typeStatus.toolsSource !== 'ANONYMOUS') {
        await syncTools(repositories, typeScope(type), trial.tools, type.spec.toolPolicy.onChange, now);
        const observed = withObservations(typeStatus.conditions, [toolsSynced('SHARED', trial.tools.length)], type.version, now);
        await repositories.connectionTypes.updateStatus(type.id, { toolsSource: 'SHARED', toolsSyncedAt: now, conditions: observed });
      }
      await repositories.connectionTypes.updateStatus(type.id, facts(trial.report));
    }
    await repositories.enrollments.updateStatus(enrollment.id, values);
  }

  /** Writes what a look at the server showed. For use inside a transaction. `shared` is the list read through a shared enrollment, if one was. */
  async writeType(repositories: Repositories, type: ConnectionType, report: ProbeReport, shared: RawTool[] | null): Promise<void> {
    const now = this.clock();
    const before = await repositories.connectionTypes.status(type.id);
    const observations = reachability(report);
    const values: Partial<ConnectionTypeStatus> = { lastCheckedAt: now, ...facts(report) };
    const tools = report.tools ?? shared;
    if (tools !== null) {
      values.toolsSource = report.tools === null ? 'SHARED' : 'ANONYMOUS';
      values.toolsSyncedAt = now;
      await syncTools(repositories, typeScope(type), tools, type.spec.toolPolicy.onChange, now);
      observations.push(toolsSynced(values.toolsSource, tools.length));
    } else if (report.verdict === 'AUTHENTICATION_REQUIRED') {
      values.toolsSource = null;
      await repositories.tools.removeScope(type.id);
      observations.push(toolsSynced(null, 0));
    }
    const conditions = withObservations(before.conditions, observations, type.version, now);
    if (!sameMeaning(before.conditions, conditions)) values.conditions = conditions;
    await repositories.connectionTypes.updateStatus(type.id, values);
  }

  /** An enrollment with its credential in clear; null when it is gone, suspended, or holds nothing. */
  async openEnrollment(enrollmentId: string): Promise<{ type: ConnectionType; enrollment: Enrollment; value: CredentialValue; version: number } | null> {
    const enrollment = await this.store.enrollments.byId(enrollmentId);
    const type = enrollment === null ? null : await this.store.connectionTypes.byId(enrollment.connectionTypeId);
    const [credential] = await this.store.enrollments.credentials([enrollmentId]);
    if (enrollment === null || type === null || credential === undefined) return null;
    const target = enrollment.confirmedTarget;
    if (!sameTarget(target, currentTarget(type.spec)) || (credential.sealed === null && credential.kind !== 'NONE')) return null;
    const key = { teamId: enrollment.teamId, enrollmentId, version: credential.version, target };
    return { type, enrollment, value: await this.box.open(key, credential.sealed, type.spec), version: credential.version };
  }

  /** The list as the first shared enrollment that works sees it, or null. */
  private async listThroughShared(type: ConnectionType): Promise<RawTool[] | null> {
    for (const candidate of await this.store.enrollments.shared(type.id)) {
      const opened = await this.openEnrollment(candidate.id);
      if (opened === null) continue;
      const trial = await this.tryCredential(type.spec, opened.value);
      if (trial.tools !== null) return trial.tools;
    }
    return null;
  }

  /** Records that something was seen in passing, by a call: the conditions, if they mean something new. */
  async observeType(typeId: string, observations: Observation[]): Promise<void> {
    await this.store.transaction(async (repositories) => {
      const type = await repositories.connectionTypes.byId(typeId);
      if (type === null) return;
      const { conditions: before } = await repositories.connectionTypes.status(typeId);
      const conditions = withObservations(before, observations, type.version, this.clock());
      if (!sameMeaning(before, conditions)) await repositories.connectionTypes.updateStatus(typeId, { conditions });
    });
  }
}

function typeScope(type: ConnectionType) {
  return { teamId: type.teamId, connectionTypeId: type.id, enrollmentId: null };
}

function facts(report: ProbeReport): Partial<ConnectionTypeStatus> {
  if (report.protocolVersion === null) return {};
  return { era: report.era, protocolVersion: report.protocolVersion, serverName: report.server?.name ?? null, serverVersion: report.server?.version ?? null };
}

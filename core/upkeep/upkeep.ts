import { credentialHeaders, credentialSecrets, type CredentialValue } from '../connection/credential.js';
import type { ConnectionTypeSpec } from '../connection/spec.js';
import { currentTarget, sameTarget } from '../connection/target.js';
import { UserFault } from '../errors.js';
import type { ProbeReport } from '../mcp/probe.js';
import type { ConnectionType } from '../store/entities/connection-type.entity.js';
import type { Enrollment } from '../store/entities/enrollment.entity.js';
import type { Repositories, Store } from '../store/store.js';
import { Scrubber } from '../tool/scrub.js';
import type { CredentialBox } from './credential-box.js';
import type { Login, OAuthTokens } from './oauth-tokens.js';
import { ProviderUnavailable } from './oauth-tokens-wait.js';
import type { Look, SharedList } from './look-outcome.js';
import { credentialVerdict } from './observations.js';
import { AT_ONCE, writeInRun, type CheckRun } from './run.js';
import { StatusWriter, type CredentialTrial } from './status-writer.js';

/** Looks at a server, with or without a credential, of which nothing but the report's `tools` holds `secrets`; never throws for what the server does. */
export type Prober = (url: string, headers: Record<string, string>, timeoutMs: number, secrets?: readonly string[]) => Promise<ProbeReport>;

/** What {@link Upkeep} is built of. */
export interface UpkeepOptions {
  store: Store;
  box: CredentialBox;
  probe: Prober;
  now: () => Date;
  /** Keeps the OAuth of types true, after each look at their servers; left out where there is none. */
  oauth?: { check(type: ConnectionType, report: ProbeReport, run: CheckRun): Promise<void> };
  /** Renews OAuth logins before they are tried, and once when they are refused; left out where there are none. */
  tokens?: Pick<OAuthTokens, 'current' | 'refreshAfterRefusal'>;
  /** Called after something that callers rely on was written outside of a caller's transaction. Other processes hear `fairlead_changed`. */
  changed: (teamId: string) => void;
}

const LOGINS_AT_ONCE = 4;
const LOGIN_WAIT_MS = 60_000;

/** An enrollment with its credential in clear. */
interface Opened {
  type: ConnectionType;
  enrollment: Enrollment;
  value: CredentialValue;
  version: number;
}

/**
 * The acts that keep connections true: looking at servers, trying credentials, reading tools, and writing what was seen as conditions.
 * Each is idempotent and level-triggered: it starts from what is stored, and a second run right after the first writes nothing but times.
 * No transaction is open while the network is asked; what was seen of an address that isn't the type's any more is thrown away.
 */
export class Upkeep {
  /** Writes what was seen, for use inside a caller's transaction. */
  readonly status: StatusWriter;

  constructor(private readonly options: UpkeepOptions) {
    this.status = new StatusWriter(options.now);
  }

  /** Looks at the server as a stranger. */
  look(spec: ConnectionTypeSpec): Promise<ProbeReport> {
    return this.options.probe(spec.serverUrl, {}, spec.health.timeoutSeconds * 1000);
  }

  /** Tries a credential, and compares with what a stranger sees. */
  async tryCredential(spec: ConnectionTypeSpec, value: CredentialValue): Promise<CredentialTrial> {
    const headers = credentialHeaders(spec, value);
    const secrets = credentialSecrets(spec, value);
    const bare = Object.keys(headers).length === 0;
    const [report, other] = await Promise.all([this.options.probe(spec.serverUrl, headers, spec.health.timeoutSeconds * 1000, secrets), bare ? null : this.look(spec)]);
    const tools = report.tools === null ? null : new Scrubber(secrets).value(report.tools);
    return { verdict: credentialVerdict(spec.authMethod, report, other), report, stranger: other ?? report, tools };
  }

  /** Looks at a type's server now, and writes conditions and, where it belongs to the type, its list of tools; where that has ended, logins read their own. */
  async checkType(typeId: string, run: CheckRun = AT_ONCE): Promise<void> {
    const type = await this.options.store.connectionTypes.byId(typeId);
    if (type === null) return;
    await this.record(type, await this.see(type), run);
  }

  /** Looks at a type's server, as a stranger and, where strangers see no tools, through shared enrollments. Writes nothing. */
  async see(type: ConnectionType): Promise<Look> {
    const began = this.options.now();
    const report = await this.look(type.spec);
    return { began, report, shared: report.verdict === 'AUTHENTICATION_REQUIRED' ? await this.#listThroughShared(type) : 'AS_IT_IS' };
  }

  /** Writes what {@link see} showed, and what follows from it: see {@link checkType}. */
  async record(type: ConnectionType, { report, shared, began }: Look, run: CheckRun): Promise<void> {
    await this.#write(type.teamId, run, (repositories) => this.status.writeType(repositories, type, report, shared, run.routine, began));
    run.signal?.throwIfAborted();
    if (run.oauth) await this.options.oauth?.check(type, report, run);
    if (!run.routine) await this.readLogins(type.id);
  }

  /** Tries an enrollment's stored credential now, and writes its conditions and its own list of tools. Suspended and empty ones are left alone. */
  async checkEnrollment(enrollmentId: string, run: CheckRun = AT_ONCE): Promise<void> {
    const opened = await this.#open(enrollmentId);
    if (opened === null) return;
    const { type, enrollment } = opened;
    const { trial, version } = await this.#tried(opened);
    await this.#write(type.teamId, run, (repositories) => this.status.writeTrial(repositories, type, enrollment.id, trial, version, run.routine));
  }

  /** Reads the lists that logins of a type are to have of their own and don't have yet: each login is asked for itself. */
  async readLogins(typeId: string): Promise<void> {
    const { store } = this.options;
    const [status] = await store.connectionTypes.statuses([typeId]);
    if (status === undefined || status.toolsSource !== null) return;
    const waiting = await store.enrollments.withoutTools(typeId);
    const work = async (): Promise<void> => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) await this.checkEnrollment(id);
    };
    await Promise.all(Array.from({ length: LOGINS_AT_ONCE }, work));
  }

  async #write(teamId: string, run: CheckRun, work: (repositories: Repositories) => Promise<boolean>): Promise<void> {
    const changed = await writeInRun(this.options.store, run, async (repositories) => {
      const written = await work(repositories);
      if (written) await repositories.announce(teamId);
      return written;
    });
    if (changed) this.options.changed(teamId);
  }

  /** Tries what was opened; an OAuth login that is refused is renewed, and tried once more. */
  async #tried({ type, enrollment, value, version }: Opened): Promise<{ trial: CredentialTrial; version: number }> {
    const trial = await this.tryCredential(type.spec, value);
    const { tokens } = this.options;
    if (trial.verdict !== 'REJECTED' || value.kind !== 'OAUTH' || tokens === undefined) return { trial, version };
    const login = await orNull(tokens.refreshAfterRefusal(enrollment.id, version, { timeoutMs: LOGIN_WAIT_MS }));
    return login === null ? { trial, version } : { trial: await this.tryCredential(type.spec, login.value), version: login.version };
  }

  /** An enrollment with its credential in clear; null when it is gone, suspended, holds nothing, or is a login that can't be renewed now. */
  async #open(enrollmentId: string): Promise<Opened | null> {
    const { store, box } = this.options;
    const enrollment = await store.enrollments.byId(enrollmentId);
    const type = enrollment === null ? null : await store.connectionTypes.byId(enrollment.connectionTypeId);
    const [credential] = await store.enrollments.credentials([enrollmentId]);
    if (enrollment === null || type === null || credential === undefined) return null;
    const target = enrollment.confirmedTarget;
    if (!sameTarget(target, currentTarget(type.spec)) || (credential.sealed === null && credential.kind !== 'NONE')) return null;
    if (credential.kind === 'OAUTH' && this.options.tokens !== undefined) {
      const login = await orNull(this.options.tokens.current(enrollmentId, { timeoutMs: LOGIN_WAIT_MS }));
      return login === null ? null : { type, enrollment, value: login.value, version: login.version };
    }
    const key = { teamId: enrollment.teamId, enrollmentId, version: credential.version, target };
    return { type, enrollment, value: await box.open(key, credential.sealed, type.spec), version: credential.version };
  }

  /** The list as the first shared enrollment that works sees it. */
  async #listThroughShared(type: ConnectionType): Promise<SharedList> {
    let list: SharedList = 'NONE';
    for (const candidate of await this.options.store.enrollments.shared([type.id])) {
      const opened = await this.#open(candidate.id);
      if (opened === null) continue;
      const { trial } = await this.#tried(opened);
      if (trial.tools !== null) return trial.tools;
      if (trial.verdict === 'NOT_TRIED') list = 'AS_IT_IS';
    }
    return list;
  }
}

/** Null for a login that can't be had: why is on record as its conditions. */
function orNull(login: Promise<Login>): Promise<Login | null> {
  return login.catch((error: unknown) => {
    if (error instanceof UserFault || error instanceof ProviderUnavailable) return null;
    throw error;
  });
}

import { z } from 'zod';
import { withObservations } from '#core/connection/condition.js';
import type { CredentialValue } from '#core/connection/credential.js';
import { oneLine } from '#core/connection/text.js';
import { currentTarget, sameTarget, targetUrl } from '#core/connection/target.js';
import { UserFault } from '#core/errors.js';
import { roleAtLeast } from '#core/connection/role.js';
import { isUniqueViolation } from '#core/store/conflict.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Credential, Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { MirrorObject } from '#core/store/entities/mirror.entity.js';
import type { Repositories, Store } from '#core/store/store.js';
import { newId } from '#core/store/ids.js';
import type { CredentialBox } from '#core/upkeep/credential-box.js';
import type { Leftovers, Undone } from '#core/upkeep/leftovers.js';
import type { CredentialTrial } from '#core/upkeep/status-writer.js';
import type { Upkeep } from '#core/upkeep/upkeep.js';
import { connectionTypeById, enrollmentById, requireOwnOrigin } from '../../access.js';
import { parseInput } from '../../graphql/parse-input.js';
import type { Act } from '../../mutation.js';
import type { RateLimit } from '../../rate-limit.js';
import { credentialFields, credentialFrom, touchesCredential } from '#core/upkeep/credential-input.js';
import type { ConsentLink } from '../../consent/consent-service.js';
import { labelTaken } from './label-taken.js';
import type { EnrollmentLogins } from './enrollment.logins.js';
import type { ConfirmEnrollmentInput, DeleteEnrollmentInput, EnrollInput, RefreshEnrollmentInput, ShareEnrollmentInput, StartAuthorizationInput, UpdateEnrollmentInput } from './enrollment.type.js';

const label = z.string().trim().max(100, 'At most 100 characters.').refine(oneLine, 'No line breaks or control characters.');

const REVOCATION_WAIT_MS = 5000;

/** Rules of enrollments: credentials are tried before they are stored, sealed for the place that their owner saw, and never read again. */
export class EnrollmentManager {
  constructor(private readonly store: Store, private readonly upkeep: Upkeep, private readonly box: CredentialBox, private readonly logins: EnrollmentLogins, private readonly leftovers: Leftovers, private readonly tries: RateLimit, private readonly clock: () => Date) {}

  /** Any member, for themselves. */
  async enroll(act: Act, input: EnrollInput): Promise<{ enrollment: Enrollment; authorization: ConsentLink | null }> {
    const { type, membership } = await connectionTypeById(this.store, act.context.principal, input.connectionTypeId, ['input', 'connectionTypeId']);
    act.about(type.teamId, { type: 'ConnectionType', id: type.id, name: type.name });
    const chosen = parseInput(label, input.label ?? '', ['input', 'label']);
    const own = await this.store.enrollments.ofOwner(membership.memberId, [type.id]);
    if (own.some((enrollment) => enrollment.label === chosen)) throw labelTaken(chosen);
    if (type.spec.authMethod === 'OAUTH') return this.logins.enroll(act, type, membership.memberId, chosen, input);
    if (input.returnUrl != null) throw new UserFault('INVALID', 'Only OAUTH leads through a browser: leave "returnUrl" out.', { field: ['input', 'returnUrl'] });
    const value = credentialFrom(type.spec, { accessToken: input.accessToken ?? undefined, headers: input.headers ?? undefined })!;
    this.tries.take(membership.memberId);
    const trial = await this.upkeep.tryCredential(type.spec, value);
    refuseRejected(value, trial, credentialField(value));
    const id = newId();
    const target = currentTarget(type.spec);
    const sealed = await this.box.seal({ teamId: type.teamId, enrollmentId: id, version: 1, target }, value);
    try {
      return await act.commit(async (repositories) => {
        await unmoved(repositories, type);
        const enrollment = await repositories.enrollments.insert(
          { id, teamId: type.teamId, connectionTypeId: type.id, ownerId: membership.memberId, label: chosen, shared: false, origin: 'API', confirmedTarget: target },
          { enrollmentId: id, teamId: type.teamId, kind: value.kind, version: 1, sealed, fields: credentialFields(value, null, [], this.clock()) },
          { enrollmentId: id, conditions: [], toolsSyncedAt: null },
        );
        await this.upkeep.status.writeTrial(repositories, type, id, trial);
        act.about(type.teamId, { type: 'Enrollment', id, name: `${type.name}${chosen === '' ? '' : `/${chosen}`}` });
        return { enrollment, authorization: null };
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw labelTaken(chosen);
      throw error;
    }
  }

  /** The owner only: consent again, in place. */
  async startAuthorization(act: Act, input: StartAuthorizationInput): Promise<ConsentLink> {
    const { enrollment, type } = await this.owned(act, input.enrollmentId, ['input', 'enrollmentId']);
    return this.logins.start(act, type, enrollment, input.returnUrl ?? null);
  }

  /** The owner only. A new credential is tried first; entering one confirms the server's address. */
  async update(act: Act, input: UpdateEnrollmentInput): Promise<Enrollment> {
    const { enrollment, type, credential, memberId } = await this.owned(act, input.id);
    await requireOwnOrigin(this.store, enrollment);
    const renamed = input.label === undefined ? enrollment.label : parseInput(label, input.label ?? '', ['input', 'label']);
    const suspended = !sameTarget(enrollment.confirmedTarget, currentTarget(type.spec));
    // What is stored goes along to a new place only when its owner confirms that place by name; entering a part of it isn't that.
    const change = touchesCredential(input) ? await this.prepare({ type, enrollment, credential, memberId, keep: !suspended }, input) : null;
    try {
      return await act.commit(async (repositories) => {
        await repositories.enrollments.update(enrollment.id, { label: renamed });
        if (change !== null) await this.replace(repositories, type, enrollment, credential, change);
        return (await repositories.enrollments.byId(enrollment.id))!;
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw labelTaken(renamed);
      throw error;
    }
  }

  /** The owner only: the credential may go to the type's present address, which they name as they saw it. */
  async confirm(act: Act, input: ConfirmEnrollmentInput): Promise<Enrollment> {
    const { enrollment, type, credential, memberId } = await this.owned(act, input.id);
    const field = ['input', 'serverUrl'];
    if (!URL.canParse(input.serverUrl) || targetUrl(input.serverUrl) !== targetUrl(type.spec.serverUrl)) {
      throw new UserFault('STALE_VERSION', `The server's address is ${type.spec.serverUrl} now: look at it, and confirm that one.`, { field });
    }
    if (sameTarget(enrollment.confirmedTarget, currentTarget(type.spec))) return act.commit(async () => enrollment);
    const wanted = type.spec.authMethod;
    if (wanted === 'OAUTH') throw new UserFault('ACTION_REQUIRED', 'A login belongs to the address that it was issued for: consent again with startAuthorization.', { field: ['input', 'id'] });
    if (wanted !== 'NONE' && (credential.kind !== wanted || credential.sealed === null)) {
      throw new UserFault('ACTION_REQUIRED', 'The auth method changed, so the stored credential is of no use: enter the new one with updateEnrollment.', { field: ['input', 'id'] });
    }
    const change = await this.prepare({ type, enrollment, credential, memberId, keep: true }, {}, ['input', 'id']);
    return act.commit(async (repositories) => {
      await this.replace(repositories, type, enrollment, credential, change);
      return (await repositories.enrollments.byId(enrollment.id))!;
    });
  }

  /** The owner only: tries the stored credential now; a login is renewed first. */
  async refresh(act: Act, input: RefreshEnrollmentInput): Promise<Enrollment> {
    const { enrollment, type, credential, memberId } = await this.owned(act, input.id);
    const field = ['input', 'id'];
    if (!sameTarget(enrollment.confirmedTarget, currentTarget(type.spec))) {
      const step = type.spec.authMethod === 'OAUTH' ? 'sign in again with startAuthorization' : 'confirm it with confirmEnrollment';
      throw new UserFault('ENROLLMENT_SUSPENDED', `The server's address or method changed: look at ${type.spec.serverUrl}, and ${step}.`, { field });
    }
    if (credential.kind !== 'NONE' && credential.sealed === null) {
      const message = credential.kind === 'OAUTH' ? 'There is no login yet: sign in with startAuthorization.' : 'The credential was cleared: enter one with updateEnrollment.';
      throw new UserFault('ACTION_REQUIRED', message, { field });
    }
    this.tries.take(memberId);
    if (credential.kind === 'OAUTH') await this.logins.rotate(enrollment.id);
    await this.upkeep.checkEnrollment(enrollment.id);
    return act.commit(async (repositories) => {
      const checked = await repositories.enrollments.byId(enrollment.id);
      if (checked === null) throw gone();
      return checked;
    });
  }

  /** Sharing is for the owner, who must be a manager; any manager may end it. */
  async share(act: Act, input: ShareEnrollmentInput): Promise<Enrollment> {
    const { enrollment, membership, owned } = await enrollmentById(this.store, act.context.principal, input.id);
    act.about(enrollment.teamId, { type: 'Enrollment', id: enrollment.id, name: enrollment.label });
    const manager = roleAtLeast(membership.role, 'MANAGER');
    if (input.shared && !owned) throw new UserFault('FORBIDDEN', 'Only its owner shares an enrollment.', { field: ['input', 'id'] });
    if (!manager && !(owned && (!input.shared || enrollment.origin === 'MANIFEST'))) throw new UserFault('FORBIDDEN', `Sharing takes the role MANAGER in this team; yours is ${membership.role}. Ask an administrator of the team.`);
    const asked = enrollment.origin === 'MANIFEST' && owned ? await this.askedSharing(enrollment.id, input.shared) : null;
    if (asked === null) await requireOwnOrigin(this.store, enrollment);
    if (enrollment.shared === input.shared) return act.commit(async () => enrollment);
    const changed = await act.commit(async (repositories) => {
      if (!input.shared) {
        await repositories.connectionTypes.endSharedLists({ enrollmentId: enrollment.id });
        await repositories.assignments.endCommonPins(enrollment.id);
      }
      await repositories.enrollments.update(enrollment.id, { shared: input.shared });
      if (asked !== null) await repositories.mirrorObjects.update(asked.id, { shareAgreed: input.shared });
      return repositories.enrollments.byId(enrollment.id);
    });
    if (changed === null) throw gone();
    // The list of tools changes hands with the share.
    if (input.shared) await this.upkeep.checkEnrollment(enrollment.id);
    else await this.upkeep.checkType(enrollment.connectionTypeId);
    return changed;
  }

  /** The owner only. The sealed value is gone when this returns; answers what became of a login at its provider, or what there is to do where there was none. */
  async delete(act: Act, input: DeleteEnrollmentInput): Promise<Undone | { outcome: 'NOT_NEEDED'; message: string }> {
    const { enrollment, credential } = await this.owned(act, input.id);
    await requireOwnOrigin(this.store, enrollment);
    await this.leftovers.prepare(enrollment.teamId);
    const left = await act.commit(async (repositories) => {
      await repositories.connectionTypes.endSharedLists({ enrollmentId: enrollment.id });
      const ids = await this.leftovers.collect(repositories, { enrollmentIds: [enrollment.id] });
      await repositories.enrollments.remove(enrollment.id);
      return ids;
    });
    const [undone] = await this.leftovers.settle(left, REVOCATION_WAIT_MS);
    if (enrollment.shared) await this.upkeep.checkType(enrollment.connectionTypeId);
    return undone ?? { outcome: 'NOT_NEEDED', message: NOTHING_TO_REVOKE[credential.kind] };
  }

  /** The binding of an enrollment whose manifest asks for it to be shared, where its owner hasn't given that answer yet: a yes can be taken back. */
  private async askedSharing(enrollmentId: string, answer: boolean): Promise<MirrorObject | null> {
    const binding = await this.store.mirrorObjects.bySubject(enrollmentId);
    return binding?.state === 'ACTIVE' && binding.shareAsked && binding.shareAgreed !== answer ? binding : null;
  }

  private async owned(act: Act, id: string, field = ['input', 'id']) {
    const { enrollment, membership, owned } = await enrollmentById(this.store, act.context.principal, id, field);
    act.about(enrollment.teamId, { type: 'Enrollment', id: enrollment.id, name: enrollment.label });
    if (!owned) throw new UserFault('FORBIDDEN', 'Only its owner can do this: enroll with a credential of your own.', { field });
    const type = await this.store.connectionTypes.byId(enrollment.connectionTypeId);
    const [credential] = await this.store.enrollments.credentials([enrollment.id]);
    if (type === null || credential === undefined) throw gone();
    return { enrollment, type, credential, memberId: membership.memberId };
  }

  /** Opens what is stored if it is to be kept, lays the input over it, tries the result and seals it. No transaction is open meanwhile. */
  private async prepare(stored: Stored, input: Pick<UpdateEnrollmentInput, 'accessToken' | 'headers'>, field?: string[]) {
    const { type, enrollment, credential, memberId, keep } = stored;
    const at = { teamId: type.teamId, enrollmentId: enrollment.id };
    const usable = keep && credential.kind === type.spec.authMethod && credential.sealed !== null;
    const old: CredentialValue | null = usable ? await this.box.open({ ...at, version: credential.version, target: enrollment.confirmedTarget }, credential.sealed, type.spec) : null;
    const value = credentialFrom(type.spec, input, { value: old });
    const target = currentTarget(type.spec);
    const fields = credentialFields(value, old, credential.kind === type.spec.authMethod ? credential.fields : [], this.clock());
    if (value === null) return { value, target, fields, sealed: null, trial: null };
    this.tries.take(memberId);
    const trial = await this.upkeep.tryCredential(type.spec, value);
    refuseRejected(value, trial, field ?? credentialField(value));
    return { value, target, fields, sealed: await this.box.seal({ ...at, version: credential.version + 1, target }, value), trial };
  }

  private async replace(repositories: Repositories, type: ConnectionType, enrollment: Enrollment, credential: Credential, change: Awaited<ReturnType<EnrollmentManager['prepare']>>): Promise<void> {
    await unmoved(repositories, type);
    const kind = type.spec.authMethod;
    const replaced = await repositories.enrollments.replaceCredential(enrollment.id, credential.version, { kind, sealed: change.sealed, fields: change.fields });
    if (!replaced) throw new UserFault('STALE_VERSION', 'The credential was changed meanwhile: look at the enrollment, then repeat your change.', { field: ['input', 'id'] });
    await repositories.enrollments.update(enrollment.id, { confirmedTarget: change.target });
    if (change.trial !== null) {
      await this.upkeep.status.writeTrial(repositories, type, enrollment.id, change.trial);
      return;
    }
    const [status] = await repositories.enrollments.statuses([enrollment.id]);
    const message = 'The credential was cleared: enter one with updateEnrollment.';
    const observed = ['Authorized', 'Ready'].map((name) => ({ type: name, status: 'FALSE' as const, reason: 'CredentialMissing', message }));
    await repositories.enrollments.updateStatus(enrollment.id, { conditions: withObservations(status?.conditions ?? [], observed, type.version, this.clock()) });
  }
}

/** An enrollment as it is stored, and whether what is stored may go into the next credential. */
interface Stored {
  type: ConnectionType;
  enrollment: Enrollment;
  credential: Credential;
  memberId: string;
  keep: boolean;
}

/** What remains of an enrollment that no provider has to hear of. */
const NOTHING_TO_REVOKE: Record<Credential['kind'], string> = {
  NONE: 'It held no credential, so nothing remains of it.',
  ACCESS_TOKEN: 'Fairlead keeps nothing of it. The token or key goes on working at the server until it is revoked there.',
  CUSTOM_HEADERS: 'Fairlead keeps nothing of it. What the headers held goes on working at the server until it is revoked there.',
  OAUTH: 'It held no login: consent was never finished, so there is nothing at the provider to revoke.',
};

function gone(): UserFault {
  return new UserFault('NOT_FOUND', 'The enrollment was deleted meanwhile.', { field: ['input', 'id'] });
}

function credentialField(value: CredentialValue): string[] {
  return ['input', value.kind === 'ACCESS_TOKEN' ? 'accessToken' : 'headers'];
}

/** A credential that was refused, or couldn't be tried, isn't stored. */
function refuseRejected(value: CredentialValue, trial: CredentialTrial, field: string[]): void {
  if (value.kind === 'NONE') return;
  if (trial.verdict === 'REJECTED') throw new UserFault('CREDENTIAL_REJECTED', 'The server doesn\'t accept this credential: check that it is complete, current, and meant for this server. Nothing was stored.', { field });
  if (trial.verdict === 'NOT_TRIED') {
    throw new UserFault('SERVER_REFUSED', `The credential could not be tried, so nothing was stored. ${trial.report.message}`, { field, retryable: trial.report.verdict === 'UNREACHABLE' });
  }
}

/** The type is still where it was when the credential was tried, and stays there until the transaction ends: a credential goes nowhere that its owner hasn't seen. */
async function unmoved(repositories: Repositories, type: ConnectionType): Promise<void> {
  const locked = await repositories.connectionTypes.lock(type.id);
  if (locked === null) throw new UserFault('NOT_FOUND', 'The connection type was deleted meanwhile.');
  if (!sameTarget(currentTarget(locked.type.spec), currentTarget(type.spec))) {
    throw new UserFault('STALE_VERSION', 'The connection type was changed meanwhile: look at its address, then enter the credential again.');
  }
}

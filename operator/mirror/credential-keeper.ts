import { condition } from '#core/connection/condition.js';
import type { CredentialValue } from '#core/connection/credential.js';
import { currentTarget, sameTarget } from '#core/connection/target.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { MirrorObject } from '#core/store/entities/mirror.entity.js';
import type { Repositories, Store } from '#core/store/store.js';
import type { CredentialBox } from '#core/upkeep/credential-box.js';
import { credentialFields } from '#core/upkeep/credential-input.js';
import type { CredentialTrial } from '#core/upkeep/status-writer.js';
import type { Upkeep } from '#core/upkeep/upkeep.js';
import type { Vault } from '#core/vault/vault.js';
import type { EnrollmentManifest } from '../manifest/enrollment.js';
import { secretsOf } from '../manifest/enrollment.js';
import { jittered } from '../runtime/back-off.js';
import type { Cluster } from './cluster.js';
import { refused, SYNCED, waiting, type Verdict } from './conditions.js';
import { agreesWithAddress, manifestCredential } from './manifest-credential.js';
import { SECRET_POLL_MS, secretRetryMs } from './secret-values.js';
import { fenced, type SituationThere } from './situation.js';

/** What {@link CredentialKeeper} is built of. */
export interface CredentialKeeperOptions {
  store: Store;
  cluster: Cluster;
  upkeep: Pick<Upkeep, 'status' | 'tryCredential'>;
  box: CredentialBox;
  vault: Pick<Vault, 'keyedHash'>;
  random: () => number;
  now: () => Date;
}

/** A credential that was read and tried, and its hash. */
export interface TriedCredential {
  value: CredentialValue;
  trial: CredentialTrial;
  hash: Buffer;
}

/** What keeping came to. */
interface Kept {
  verdict: Verdict;
  requeueAfterMs?: number;
  /** The binding as it is now, where the credential was replaced. */
  binding?: MirrorObject;
}

const TRY_AGAIN_MS = 30_000;

/**
 * Keeps the sealed credential of a manifest's enrollment what its Secrets hold. A new value is tried before it replaces the old; one that the server refuses doesn't, and isn't tried again; a
 * missing Secret never clears a sealed value.
 */
export class CredentialKeeper {
  constructor(private readonly options: CredentialKeeperOptions) {}

  /** The first credential: stored as it is, for what the server says of it is a condition. */
  async first({ binding }: SituationThere, manifest: EnrollmentManifest, type: ConnectionType): Promise<TriedCredential | Kept> {
    const { store, cluster, upkeep } = this.options;
    const read = await manifestCredential(cluster, binding.namespace, manifest, type.spec);
    if ('verdict' in read) {
      await store.mirrorObjects.update(binding.id, { secretFailures: binding.secretFailures + 1, secretsReadAt: this.options.now() });
      return { verdict: read.verdict, requeueAfterMs: secretRetryMs(binding.secretFailures) };
    }
    return { value: read.value, trial: await upkeep.tryCredential(type.spec, read.value), hash: await this.#hash(type.teamId, read.value) };
  }

  /** Seals the first credential, for use inside the transaction that inserts its enrollment. */
  async seal(enrollment: { id: string; teamId: string }, type: ConnectionType, value: CredentialValue) {
    const { box, now } = this.options;
    const key = { teamId: enrollment.teamId, enrollmentId: enrollment.id, version: 1, target: currentTarget(type.spec) };
    return { enrollmentId: enrollment.id, teamId: enrollment.teamId, kind: value.kind, version: 1, sealed: await box.seal(key, value), fields: credentialFields(value, null, [], now()) };
  }

  /** Whether, and how long until, Secrets are read again; null for manifests that name none. */
  dueMs(binding: MirrorObject, manifest: EnrollmentManifest): number | null {
    if (secretsOf(manifest).length === 0) return null;
    const pollMs = jittered(binding.secretFailures > 0 ? secretRetryMs(binding.secretFailures - 1) : SECRET_POLL_MS, this.options.random());
    return binding.secretsReadAt === null ? 0 : pollMs - (this.options.now().getTime() - binding.secretsReadAt.getTime());
  }

  /** An enrollment that is there. */
  async keep(situation: SituationThere, manifest: EnrollmentManifest, type: ConnectionType, enrollment: Enrollment, changed: boolean): Promise<Kept> {
    const { store, cluster, upkeep, now } = this.options;
    const { binding, rows } = situation;
    const status = rows.enrollment?.id === enrollment.id ? rows.enrollmentStatus : (await store.enrollments.statuses([enrollment.id]))[0];
    const authorized = condition(status?.conditions ?? [], 'Authorized');
    const refusedSince = authorized?.reason === 'CredentialRejected' && binding.secretsReadAt !== null && new Date(authorized.lastTransitionTime) > binding.secretsReadAt;
    const moves = this.#mayMove(binding, manifest, type, enrollment, changed);
    const due = this.dueMs(binding, manifest);
    const wait = due === null ? {} : { requeueAfterMs: Math.max(1000, due > 0 ? due : SECRET_POLL_MS) };
    if (!changed && !moves && !refusedSince && (due === null || due > 0)) return { verdict: this.#standing(binding, type, enrollment, manifest), ...wait };

    const read = await manifestCredential(cluster, binding.namespace, manifest, type.spec);
    if ('verdict' in read) {
      await store.mirrorObjects.update(binding.id, { secretFailures: binding.secretFailures + 1, secretsReadAt: now() });
      return { verdict: read.verdict, requeueAfterMs: secretRetryMs(binding.secretFailures) };
    }
    const hash = await this.#hash(type.teamId, read.value);
    const seen = { secretsReadAt: now(), secretFailures: 0 };
    const same = binding.secretHash?.equals(hash) === true;
    if ((same && !moves) || (!same && binding.refusedHash?.equals(hash) === true)) {
      await store.mirrorObjects.update(binding.id, { ...seen, ...(same && { refusedHash: null }) });
      return { verdict: this.#standing({ ...binding, ...(same && { refusedHash: null }) }, type, enrollment, manifest), ...wait };
    }
    // A credential goes to no place that its manifest doesn't name.
    if (!moves && !sameTarget(enrollment.confirmedTarget, currentTarget(type.spec))) return { verdict: this.#standing(binding, type, enrollment, manifest), ...wait };
    const trial = await upkeep.tryCredential(type.spec, read.value);
    if (trial.verdict === 'NOT_TRIED') return { verdict: waiting('SecretNotTried', 'The Secret holds a new value, which is tried before it replaces the old one: the server can\'t be asked now.'), requeueAfterMs: TRY_AGAIN_MS };
    if (trial.verdict === 'REJECTED' && authorized?.status !== 'FALSE' && !moves) {
      await store.mirrorObjects.update(binding.id, { ...seen, refusedHash: hash });
      return { verdict: REFUSED_VALUE, ...wait };
    }
    await this.#replace(situation, type, enrollment, { value: read.value, trial, hash });
    const values = { ...seen, refusedHash: trial.verdict === 'REJECTED' ? hash : null, lostType: moves ? false : binding.lostType };
    await store.mirrorObjects.update(binding.id, values);
    return { verdict: SYNCED, ...wait, binding: { ...binding, ...values } };
  }

  async #replace({ claim, binding }: SituationThere, type: ConnectionType, enrollment: Enrollment, { value, trial, hash }: TriedCredential): Promise<void> {
    const { store, box, upkeep, now } = this.options;
    const [credential] = await store.enrollments.credentials([enrollment.id]);
    if (credential === undefined) return;
    const target = currentTarget(type.spec);
    const sealed = await box.seal({ teamId: type.teamId, enrollmentId: enrollment.id, version: credential.version + 1, target }, value);
    await fenced(store, claim, type.teamId, async (repositories) => {
      const fields = credentialFields(value, null, [], now());
      if (!(await repositories.enrollments.replaceCredential(enrollment.id, credential.version, { kind: value.kind, sealed, fields }))) return;
      if (!sameTarget(enrollment.confirmedTarget, target)) await repositories.enrollments.update(enrollment.id, { confirmedTarget: target });
      await upkeep.status.writeTrial(repositories, type, enrollment.id, trial);
      await repositories.mirrorObjects.update(binding.id, { secretHash: hash });
    });
  }

  /** Whether the credential may follow its type to another place: its manifest names that, and whoever wrote it has seen the rest (which header, which method) too. */
  #mayMove(binding: MirrorObject, manifest: EnrollmentManifest, type: ConnectionType, enrollment: Enrollment, changed: boolean): boolean {
    const to = currentTarget(type.spec);
    const from = enrollment.confirmedTarget;
    if (sameTarget(from, to) || !agreesWithAddress(manifest, type.spec)) return false;
    return changed || (!binding.lostType && from.authMethod === to.authMethod && from.header === to.header);
  }

  /** What is to be said when nothing is done. */
  #standing(binding: MirrorObject, type: ConnectionType, enrollment: Enrollment, manifest: EnrollmentManifest): Verdict {
    if (!sameTarget(enrollment.confirmedTarget, currentTarget(type.spec))) {
      return refused('Suspended', agreesWithAddress(manifest, type.spec)
        ? 'The connection type was changed: look at it, and confirm by a change of this manifest, or apply it anew under another name.'
        : `The connection type goes to ${type.spec.serverUrl}, this manifest's serverUrl says otherwise: change one of them.`);
    }
    if (binding.secretFailures > 0) return waiting('SecretNotFound', 'A Secret that this manifest names can\'t be used now; the credential that was read before stays.');
    return binding.refusedHash === null || binding.secretHash?.equals(binding.refusedHash) === true ? SYNCED : REFUSED_VALUE;
  }

  #hash(teamId: string, value: CredentialValue): Promise<Buffer> {
    return this.options.vault.keyedHash(teamId, `manifest credential ${JSON.stringify(value)}`);
  }

  /** Writes what the first trial showed, inside the inserting transaction. */
  async written(repositories: Repositories, type: ConnectionType, enrollmentId: string, trial: CredentialTrial): Promise<void> {
    await this.options.upkeep.status.writeTrial(repositories, type, enrollmentId, trial);
  }
}

const REFUSED_VALUE = refused('SecretRefused', 'The Secret holds a new value, which the server refuses: the one before stays in use. Put the right one into the Secret.');

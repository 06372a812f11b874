import { sameMeaning, withObservations, type Condition } from '#core/connection/condition.js';
import type { MirrorObject } from '#core/store/entities/mirror.entity.js';
import type { Claim } from '#core/store/schedule.js';
import type { Repositories, Store } from '#core/store/store.js';
import { isKubeFault } from '../kubernetes/kube-fault.js';
import type { CustomResource } from '../manifest/resources.js';
import type { Cluster } from './cluster.js';
import { rowlessObservations, sameStatus, statusConditions, syncedObservation, type Verdict } from './conditions.js';
import { fenced, type SituationThere } from './situation.js';
import { enrollmentStatus, typeStatus, type Pair } from './status.js';

/** What {@link Projector} is built of. */
export interface ProjectorOptions {
  store: Store;
  cluster: Cluster;
  now: () => Date;
  /** Where people reach this installation. */
  publicUrl: string;
  redirectUri: string;
}

/** Says what is known: in PostgreSQL first, where it is computed; then in the custom resource's status, only when its meaning changes. */
export class Projector {
  constructor(private readonly options: ProjectorOptions) {}

  /** Of both. */
  async say(situation: SituationThere, verdict: Verdict): Promise<void> {
    const { binding, claim, object } = situation;
    const told = await this.sayOfRow(claim, binding, verdict);
    if (!told) return this.sayOfObject(situation, verdict);
    const status = await this.#status(binding, object, verdict);
    if (status !== null) await this.#write(object, status);
  }

  /** `Synced` in the row's conditions, which GraphQL shows; false when there is no row to be seen. */
  async sayOfRow(claim: Claim, binding: MirrorObject, verdict: Verdict): Promise<boolean> {
    const { store } = this.options;
    const subject = await this.#row(store, binding);
    if (subject === null) return false;
    const observation = [syncedObservation(verdict)];
    if (sameMeaning(subject.conditions, withObservations(subject.conditions, observation, subject.version, this.options.now()))) return true;
    await fenced(store, claim, subject.teamId, async (repositories) => {
      // The type's lock first, then what is written of either.
      if ((await repositories.connectionTypes.lock(subject.typeId)) === null) return;
      const current = await this.#row(repositories, binding);
      if (current === null) return;
      const conditions = withObservations(current.conditions, observation, current.version, this.options.now());
      if (binding.kind === 'ConnectionType') await repositories.connectionTypes.updateStatus(current.id, { conditions });
      else await repositories.enrollments.updateStatus(current.id, { conditions });
    });
    return true;
  }

  /** All that there is to say of an object without a row of its own: why. Kept in the binding, so that times move only with what they are of. */
  async sayOfObject({ binding, object }: SituationThere, verdict: Verdict): Promise<void> {
    const { generation } = object.metadata;
    const conditions = withObservations(binding.conditions, rowlessObservations(verdict), generation, this.options.now());
    if (!sameMeaning(binding.conditions, conditions)) await this.options.store.mirrorObjects.update(binding.id, { conditions });
    await this.#write(object, { observedGeneration: generation, conditions: statusConditions(conditions, (version) => version) });
  }

  async #row(repositories: Repositories, { kind, subjectId }: MirrorObject): Promise<{ id: string; teamId: string; typeId: string; version: number; conditions: Condition[] } | null> {
    if (subjectId === null) return null;
    if (kind === 'ConnectionType') {
      const type = await repositories.connectionTypes.byId(subjectId);
      const [status] = type === null ? [] : await repositories.connectionTypes.statuses([subjectId]);
      return type === null || status === undefined ? null : { id: type.id, teamId: type.teamId, typeId: type.id, version: type.version, conditions: status.conditions };
    }
    const enrollment = await repositories.enrollments.byId(subjectId);
    const type = enrollment === null ? null : await repositories.connectionTypes.byId(enrollment.connectionTypeId);
    const [status] = type === null ? [] : await repositories.enrollments.statuses([subjectId]);
    return enrollment === null || type === null || status === undefined ? null : { id: enrollment.id, teamId: enrollment.teamId, typeId: type.id, version: type.version, conditions: status.conditions };
  }

  async #status(binding: MirrorObject, object: CustomResource, verdict: Verdict): Promise<object | null> {
    const pair: Pair | null = binding.generation === null || binding.version === null ? null : { generation: Number(binding.generation), version: binding.version };
    return binding.kind === 'ConnectionType' ? this.#typeStatus(binding.subjectId!, object, pair, verdict) : this.#enrollmentStatus(binding.subjectId!, object, pair, verdict);
  }

  async #typeStatus(id: string, object: CustomResource, pair: Pair | null, verdict: Verdict): Promise<object | null> {
    const { store, redirectUri } = this.options;
    const type = await store.connectionTypes.byId(id);
    const [status] = await store.connectionTypes.statuses([id]);
    if (type === null || status === undefined) return null;
    const oauth = type.spec.authMethod === 'OAUTH';
    const [client, discovery] = oauth ? await Promise.all([store.oauthClients.current(id), store.oauthClients.discovery(id)]) : [null, null];
    const toolCount = status.toolsSource === null ? 0 : await store.tools.listed(id);
    return typeStatus({ type, status, toolCount, client, discovery, redirectUri }, object, pair, verdict);
  }

  async #enrollmentStatus(id: string, object: CustomResource, pair: Pair | null, verdict: Verdict): Promise<object | null> {
    const { store, publicUrl } = this.options;
    const enrollment = await store.enrollments.byId(id);
    const type = enrollment === null ? null : await store.connectionTypes.byId(enrollment.connectionTypeId);
    if (enrollment === null || type === null) return null;
    const [[status], [ofType], [team], grant] = await Promise.all([
      store.enrollments.statuses([id]), store.connectionTypes.statuses([type.id]), store.teams.byIds([enrollment.teamId]), type.spec.authMethod === 'OAUTH' ? store.oauthGrants.byId(id) : null,
    ]);
    if (status === undefined || ofType === undefined) return null;
    return enrollmentStatus({ enrollment, status, type, typeStatus: ofType, grant, page: `${publicUrl}/enroll/${team?.slug ?? ''}/${type.name}` }, object, pair, verdict);
  }

  async #write(object: CustomResource, status: object): Promise<void> {
    if (sameStatus(object.status, status)) return;
    try {
      await this.options.cluster.applyStatus(object, status);
    } catch (error) {
      // It has moved on, or is gone: the watch says so, and then it is looked at again.
      if (!isKubeFault(error, 'CONFLICT', 'NOT_FOUND')) throw error;
    }
  }
}

import { sameMeaning, withObservations, type Condition } from '#core/connection/condition.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { MirrorRows } from '#core/store/mirror-looks.js';
import type { Store } from '#core/store/store.js';
import { isKubeFault } from '../kubernetes/kube-fault.js';
import type { CustomResource } from '../manifest/resources.js';
import type { Cluster } from './cluster.js';
import { rowlessObservations, sameStatus, statusConditions, syncedObservation, type Verdict } from './conditions.js';
import { fenced, type Situation, type SituationThere } from './situation.js';
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
    const rows = await this.sayOfRow(situation, verdict);
    if (rows === null) return this.sayOfObject(situation, verdict);
    const status = await this.#status(rows, situation.object, verdict);
    if (status !== null) await this.#write(situation.object, status);
  }

  /** `Synced` in the row's conditions, which GraphQL shows. Answers the rows as they are then; null when there is none to be seen. */
  async sayOfRow({ claim, rows }: Pick<Situation, 'claim' | 'rows'>, verdict: Verdict): Promise<MirrorRows | null> {
    const { store, now } = this.options;
    const seen = visible(rows);
    if (seen === null) return null;
    const { type, teamId } = seen;
    const said = (conditions: readonly Condition[], version: number): Condition[] => withObservations(conditions, [syncedObservation(verdict)], version, now());
    if (sameMeaning(seen.conditions, said(seen.conditions, type.version))) return rows;
    return fenced(store, claim, teamId, async (repositories) => {
      // The type's lock first, then what is written of either.
      const locked = await repositories.connectionTypes.lock(type.id);
      if (locked === null) return { ...rows, type: null };
      const current = { ...rows, type: locked.type, typeStatus: locked.status };
      if (rows.enrollment === null) {
        const conditions = said(locked.status.conditions, locked.type.version);
        await repositories.connectionTypes.updateStatus(type.id, { conditions });
        return { ...current, typeStatus: { ...locked.status, conditions } };
      }
      const [status] = await repositories.enrollments.statuses([rows.enrollment.id]);
      if (status === undefined) return { ...current, enrollmentStatus: null };
      const conditions = said(status.conditions, locked.type.version);
      await repositories.enrollments.updateStatus(rows.enrollment.id, { conditions });
      return { ...current, enrollmentStatus: { ...status, conditions } };
    });
  }

  /** All that there is to say of an object without a row of its own: why. Kept in the binding, so that times move only with what they are of. */
  async sayOfObject({ binding, object }: SituationThere, verdict: Verdict): Promise<void> {
    const { generation } = object.metadata;
    const conditions = withObservations(binding.conditions, rowlessObservations(verdict), generation, this.options.now());
    if (!sameMeaning(binding.conditions, conditions)) await this.options.store.mirrorObjects.update(binding.id, { conditions });
    await this.#write(object, { observedGeneration: generation, conditions: statusConditions(conditions, (version) => version) });
  }

  async #status(rows: MirrorRows, object: CustomResource, verdict: Verdict): Promise<object | null> {
    const { store, publicUrl, redirectUri } = this.options;
    const { binding, type, typeStatus: ofType, enrollment, enrollmentStatus: ofEnrollment, teamSlug } = rows;
    // Gone while it was looked at: the next run says what is to be said.
    if (type === null || ofType === null) return null;
    const pair: Pair | null = binding.generation === null || binding.version === null ? null : { generation: Number(binding.generation), version: binding.version };
    const oauth = type.spec.authMethod === 'OAUTH';
    if (binding.kind === 'ConnectionType') {
      const [client, discovery] = oauth ? await Promise.all([store.oauthClients.current(type.id), store.oauthClients.discovery(type.id)]) : [null, null];
      const toolCount = ofType.toolsSource === null ? 0 : rows.toolCount;
      return typeStatus({ type, status: ofType, toolCount, client, discovery, redirectUri }, object, pair, verdict);
    }
    if (enrollment === null || ofEnrollment === null) return null;
    const grant = oauth ? await store.oauthGrants.byId(enrollment.id) : null;
    return enrollmentStatus({ enrollment, status: ofEnrollment, type, typeStatus: ofType, grant, page: `${publicUrl}/enroll/${teamSlug ?? ''}/${type.name}` }, object, pair, verdict);
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

/** The row of a binding with what is said of it; null when it is hidden, or there is none. */
function visible({ binding, type, typeStatus: ofType, enrollment, enrollmentStatus: ofEnrollment }: MirrorRows): { teamId: string; type: ConnectionType; conditions: Condition[] } | null {
  if (type === null || type.deletedAt) return null;
  if (binding.kind === 'ConnectionType') return ofType === null ? null : { teamId: type.teamId, type, conditions: ofType.conditions };
  return enrollment === null || enrollment.deletedAt || ofEnrollment === null ? null : { teamId: enrollment.teamId, type, conditions: ofEnrollment.conditions };
}

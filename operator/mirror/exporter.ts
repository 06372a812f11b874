import { nodeId } from '#core/connection/node-id.js';
import { canonicalJson } from '#core/json/canonical.js';
import type { MirrorObject } from '#core/store/entities/mirror.entity.js';
import type { Store } from '#core/store/store.js';
import type { EventRecorder } from '../kubernetes/event-recorder.js';
import { isKubeFault } from '../kubernetes/kube-fault.js';
import { manifestOfSpec } from '../manifest/connection-type.js';
import { ID_ANNOTATION, type CustomResource } from '../manifest/resources.js';
import type { Cluster } from './cluster.js';
import { hashOf, refused, SYNCED, waiting, type Verdict } from './conditions.js';
import { fenced, type Outcome, type Situation } from './situation.js';

/** What {@link Exporter} is built of. */
export interface ExporterOptions {
  store: Store;
  cluster: Cluster;
  events: EventRecorder;
}

/** Mirrors rows of origin API: PostgreSQL owns the spec, the custom resource shows it. */
export class Exporter {
  constructor(private readonly options: ExporterOptions) {}

  /** Null: the row is gone, and its mirror with it. */
  async export(situation: Situation): Promise<Outcome | null> {
    const { store } = this.options;
    const { binding } = situation;
    const wanted = wantedOf(situation);
    if (wanted === null || binding.state === 'OFFERED') {
      await this.#withdraw(situation);
      if (wanted !== null) return { verdict: { ...SYNCED, reason: 'Offered', message: 'It is offered to a manifest, and isn\'t mirrored meanwhile.' } };
      await store.mirrorObjects.remove(binding.id);
      return null;
    }
    const ours = this.#ours(situation);
    if (situation.object !== null && !ours) return { verdict: conflict(binding.name) };
    return this.#apply(situation, wanted.spec, wanted.version);
  }

  /** Whether the object is the mirror that this binding made. */
  #ours({ binding, object }: Situation): boolean {
    if (object === null) return false;
    if (binding.objectUid !== null) return object.metadata.uid === binding.objectUid;
    // Made just before a crash: it says whose it is.
    return object.spec['origin'] === 'API' && object.metadata.annotations?.[ID_ANNOTATION] === nodeId(binding.kind, binding.subjectId!);
  }

  async #apply(situation: Situation, spec: object, version: number): Promise<Outcome> {
    const { cluster, events, store } = this.options;
    const { binding, object, claim, namespace } = situation;
    const hash = hashOf(spec);
    const there = object !== null;
    if (there && object.metadata.deletionTimestamp !== undefined) return { verdict: waiting('BeingDeleted', 'Somebody else is deleting this mirror, and a finalizer keeps it: it is made anew when it is gone.') };
    const same = there && canonicalJson(object.spec) === canonicalJson(spec) && object.metadata.annotations?.[ID_ANNOTATION] !== undefined;
    const paired = same && binding.appliedHash === hash && binding.generation === String(object.metadata.generation) && binding.version === version && binding.objectUid === object.metadata.uid;
    if (paired) return { verdict: SYNCED };
    let applied: CustomResource | null = same ? object : null;
    if (applied === null) {
      try {
        const { object: answer } = await cluster.apply(binding.kind, { ...placeOf(binding), uid: there ? object.metadata.uid : null }, { [ID_ANNOTATION]: nodeId(binding.kind, binding.subjectId!) }, spec);
        applied = canonicalJson(answer.spec) === canonicalJson(spec) ? answer : await cluster.replaceSpec(binding.kind, answer, spec);
      } catch (error) {
        // What isn't in our cache yet stands in its place; or it was deleted in between, and is made anew.
        if (isKubeFault(error, 'CONFLICT', 'ALREADY_EXISTS', 'INVALID') && !there) return { verdict: conflict(binding.name), requeueAfterMs: 30_000 };
        if (isKubeFault(error, 'CONFLICT', 'NOT_FOUND')) return { verdict: SYNCED, requeueAfterMs: 1000 };
        throw error;
      }
      const drifted = binding.appliedHash === hash && binding.objectUid !== null;
      if (drifted) events.record({ ...applied, kind: binding.kind }, 'Warning', 'DriftCorrected', there ? 'Somebody else changed this mirror: it was put back. Change it through the GraphQL API.' : 'Somebody else deleted this mirror: it was made anew. Delete it through the GraphQL API.');
    }
    const { uid, generation } = applied.metadata;
    const fresh = await fenced(store, claim, namespace.teamId, async (repositories) => {
      const values = { objectUid: uid, generation: String(generation), version, appliedHash: hash, conditions: [] };
      await repositories.mirrorObjects.update(binding.id, values);
      return { ...binding, ...values };
    });
    return { verdict: SYNCED, binding: fresh };
  }

  /** Deletes the mirror, if there is one. */
  async #withdraw(situation: Situation): Promise<void> {
    if (situation.object === null || !this.#ours(situation)) return;
    const object = { ...situation.object, kind: situation.binding.kind };
    // Somebody else put it there: nothing would take it away when the mirror is forgotten.
    await this.options.cluster.releaseFinalizer(object);
    await this.options.cluster.delete(object);
    await this.options.store.mirrorObjects.update(situation.binding.id, { objectUid: null, generation: null, appliedHash: null });
  }
}

/** The spec that the mirror is to have, and the version of the row that it is of; null when the row is gone. */
function wantedOf({ binding, rows: { type, enrollment } }: Situation): { spec: object; version: number } | null {
  if (type === null || type.deletedAt) return null;
  if (binding.kind === 'ConnectionType') return { spec: manifestOfSpec(type.spec), version: type.version };
  if (enrollment === null || enrollment.deletedAt) return null;
  const { label, shared, ownerId, confirmedTarget } = enrollment;
  // A member's id, not the mail address that they may sign in with.
  return { spec: { origin: 'API', connectionTypeRef: { name: type.name }, serverUrl: confirmedTarget.serverUrl, owner: nodeId('Member', ownerId), label, shared }, version: type.version };
}

function placeOf({ namespace, name }: MirrorObject): { namespace: string; name: string } {
  return { namespace, name };
}

function conflict(name: string): Verdict {
  return refused('NameConflict', `Another object named ${JSON.stringify(name)} is in the team's namespace: rename or delete one of them, or offer this one to it with offerOwnership.`);
}

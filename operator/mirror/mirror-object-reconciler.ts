import type { MirrorNamespace, MirrorObject } from '#core/store/entities/mirror.entity.js';
import type { Claim } from '#core/store/schedule.js';
import type { Store } from '#core/store/store.js';
import { FINALIZER, PAUSED_ANNOTATION, type CustomResource } from '../manifest/resources.js';
import type { Reconciler, ReconcileResult } from '../runtime/reconciler.js';
import type { Burial } from './burial.js';
import type { Cluster } from './cluster.js';
import { refused } from './conditions.js';
import type { EnrollmentImporter } from './enrollment-importer.js';
import type { Exporter } from './exporter.js';
import type { NamespaceBinder } from './namespace-binder.js';
import type { ObjectCache } from './object-cache.js';
import type { Projector } from './projector.js';
import type { RowsReader } from './rows-reader.js';
import type { Outcome, Situation, SituationThere } from './situation.js';
import type { TypeImporter } from './type-importer.js';

/** What {@link MirrorObjectReconciler} is built of. */
export interface MirrorObjectReconcilerOptions {
  store: Store;
  reader: RowsReader;
  cache: ObjectCache;
  cluster: Cluster;
  binder: NamespaceBinder;
  types: TypeImporter;
  enrollments: EnrollmentImporter;
  exporter: Exporter;
  burial: Burial;
  projector: Projector;
}

const IDLE_MS = 24 * 3_600_000;
const IDLE: ReconcileResult = { requeueAfterMs: IDLE_MS };
const NOT_KNOWN_MS = 5000;

/** What is to be done about an object: see {@link decide}. */
export type Step = 'WAIT' | 'NOTHING' | 'FORGET' | 'ORPHAN' | 'UNBOUND' | 'UNKNOWN_MIRROR' | 'END' | 'IMPORT' | 'EXPORT' | 'CONFLICT';

/** Everything that the step is decided by. */
export interface StepFacts {
  binding: Pick<MirrorObject, 'origin' | 'state' | 'subjectId' | 'objectUid'>;
  object: CustomResource | null;
  collection: 'UNKNOWN' | 'COMPLETE' | 'MISSING';
  bound: boolean;
}

/** The rules of design section 8 for one object, in their order. Pure. */
export function decide({ binding, object, collection, bound }: StepFacts): Step {
  const deleting = object?.metadata.deletionTimestamp !== undefined;
  // Nobody keeps by a pause what is to go, nor what it declared.
  if (object?.metadata.annotations?.[PAUSED_ANNOTATION] === 'true' && !(deleting && binding.origin === 'MANIFEST')) return 'NOTHING';
  if (object === null && collection === 'UNKNOWN') return 'WAIT';
  if (object === null && collection === 'MISSING') return binding.origin === 'MANIFEST' && binding.state === 'ACTIVE' ? 'ORPHAN' : 'NOTHING';
  if (binding.origin === 'API') {
    if (!bound) return 'NOTHING';
    const foreign = object !== null && object.spec['origin'] !== 'API';
    // What was offered, or whose row is gone, leaves its place to a manifest.
    if (foreign && !deleting && (binding.state === 'OFFERED' || binding.subjectId === null)) return 'IMPORT';
    return foreign && !deleting ? 'CONFLICT' : 'EXPORT';
  }
  if (object === null) return binding.state === 'ACTIVE' ? (bound ? 'END' : binding.subjectId === null ? 'FORGET' : 'NOTHING') : 'NOTHING';
  // The finalizer goes also where nothing else is done: a frozen namespace blocks nobody.
  if (deleting) return 'END';
  if (object.spec['origin'] === 'API') return 'UNKNOWN_MIRROR';
  return bound ? 'IMPORT' : 'UNBOUND';
}

/** Keeps one custom resource and its row the same. */
export class MirrorObjectReconciler implements Reconciler {
  readonly kind = 'MirrorObject';

  constructor(private readonly options: MirrorObjectReconcilerOptions) {}

  async reconcile(claim: Claim): Promise<ReconcileResult> {
    const { store, reader, cache, binder } = this.options;
    const rows = await reader.read(claim.id);
    if (rows === null) return 'GONE';
    const { binding } = rows;
    const object = cache.get(binding.kind, binding.namespace, binding.name);
    const unbound = await binder.unbound(binding.namespace, rows.namespace);
    const step = decide({ binding, object, collection: cache.collection(binding.kind, binding.namespace), bound: unbound === null });
    const situation = { claim, binding, object, namespace: rows.namespace!, rows };
    // Mirrors have no finalizer of ours: one that somebody else put there keeps nothing.
    if (binding.origin === 'API' && object?.metadata.deletionTimestamp !== undefined) await this.options.cluster.releaseFinalizer(object);
    switch (step) {
      case 'WAIT':
        return { requeueAfterMs: NOT_KNOWN_MS };
      case 'NOTHING':
        return IDLE;
      case 'FORGET':
        await store.mirrorObjects.remove(binding.id);
        return 'GONE';
      case 'ORPHAN':
        return this.#orphaned(situation);
      case 'UNBOUND':
        return this.#said({ ...situation, object: object! }, { verdict: refused(unbound!.reason, unbound!.message) });
      case 'UNKNOWN_MIRROR':
        return this.#said({ ...situation, object: object! }, { verdict: refused('UnknownMirror', 'This object says that it mirrors something made through the API, but nothing is known of it: delete it, or apply it with spec.origin MANIFEST under another name.') });
      case 'END':
        return this.#ended(situation);
      case 'IMPORT':
        return this.#imported({ ...situation, object: object! });
      case 'CONFLICT':
      case 'EXPORT':
        return this.#exported(situation, step === 'CONFLICT');
    }
  }

  async #imported(situation: SituationThere): Promise<ReconcileResult> {
    const { cluster, types, enrollments } = this.options;
    const kept = (situation.object.metadata.finalizers ?? []).includes(FINALIZER);
    // Before anything else is done: from now on its end is seen.
    const there = kept ? situation : { ...situation, object: await cluster.addFinalizer(situation.object) };
    const outcome = await (situation.binding.kind === 'ConnectionType' ? types.import(there) : enrollments.import(there));
    const { binding } = { binding: situation.binding, ...outcome };
    // A row that this manifest doesn't own says nothing about it.
    if (binding.origin === 'API') {
      await this.options.projector.sayOfObject(there, outcome.verdict);
      return { requeueAfterMs: outcome.requeueAfterMs ?? IDLE_MS };
    }
    return this.#said(there, outcome);
  }

  async #exported(situation: Situation, conflict: boolean): Promise<ReconcileResult> {
    const { exporter, cache, projector } = this.options;
    const outcome: Outcome | null = await exporter.export(situation);
    if (outcome === null) return 'GONE';
    const { kind, namespace, name } = situation.binding;
    const object = cache.get(kind, namespace, name);
    if (conflict && object !== null) {
      // Each side hears of it: the row, and the manifest that wants its name.
      await projector.sayOfRow(situation, outcome.verdict);
      const told = outcome.verdict.synced ? outcome.verdict : refused('NameConflict', `The team has ${kind === 'ConnectionType' ? 'a connection type' : 'an enrollment'} in the place of ${JSON.stringify(name)} that is changed through GraphQL: rename this object, or take that one over (offerOwnership, then the annotation fairlead.dev/adopt).`);
      await projector.sayOfObject({ ...situation, object }, told);
      return { requeueAfterMs: outcome.requeueAfterMs ?? IDLE_MS };
    }
    if (object === null) {
      await projector.sayOfRow(situation, outcome.verdict);
      return { requeueAfterMs: outcome.requeueAfterMs ?? IDLE_MS };
    }
    return this.#said({ ...situation, object }, outcome);
  }

  async #ended(situation: Situation): Promise<ReconcileResult> {
    const namespace: MirrorNamespace | null = situation.namespace;
    if (namespace === null && situation.binding.subjectId !== null && situation.binding.state === 'ACTIVE') await this.options.store.mirrorObjects.update(situation.binding.id, { state: 'ORPHANED', objectUid: null });
    await this.options.burial.end(namespace === null ? { ...situation, binding: { ...situation.binding, state: 'ORPHANED' } } : situation);
    return 'GONE';
  }

  /** The CRD is gone: that says nothing about any of its objects. */
  async #orphaned(situation: Situation): Promise<ReconcileResult> {
    if (situation.binding.subjectId === null) await this.options.store.mirrorObjects.remove(situation.binding.id);
    else if (situation.namespace !== null) await this.options.burial.orphan(situation);
    return 'GONE';
  }

  async #said(situation: SituationThere, { verdict, binding, requeueAfterMs }: Outcome): Promise<ReconcileResult> {
    const { projector, reader } = this.options;
    // What this run wrote is said, too.
    const rows = binding === undefined || binding === situation.binding ? situation.rows : await reader.read(situation.claim.id);
    if (rows === null) return 'GONE';
    await projector.say({ ...situation, binding: rows.binding, rows }, verdict);
    return { requeueAfterMs: requeueAfterMs ?? IDLE_MS };
  }
}

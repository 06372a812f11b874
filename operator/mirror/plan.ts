import type { Store } from '#core/store/store.js';
import { decide, type Step } from './mirror-object-reconciler.js';
import type { NamespaceBinder } from './namespace-binder.js';
import type { ObjectCache } from './object-cache.js';

/** One line of a plan: what the mirror would do about one object. */
export interface PlannedStep {
  step: Exclude<Step, 'NOTHING' | 'WAIT'> | 'SAME';
  kind: string;
  namespace: string;
  name: string;
}

/** What the mirror would do, by the same decisions as when it does it. Reads only. */
export async function plan({ store, cache, binder }: { store: Store; cache: ObjectCache; binder: NamespaceBinder }): Promise<PlannedStep[]> {
  const [bindings, namespaces] = await Promise.all([store.mirrorObjects.in(null), store.mirrorNamespaces.all()]);
  const rows = new Map(namespaces.map((row) => [row.namespace, row]));
  const known = new Set(bindings.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`));
  const unknown = cache.all().filter(({ kind, metadata }) => !known.has(`${kind} ${metadata.namespace}/${metadata.name}`))
    .map(({ kind, metadata: { namespace, name } }) => ({ kind: kind as 'ConnectionType', namespace, name, origin: 'MANIFEST' as const, state: 'ACTIVE' as const, subjectId: null, objectUid: null, generation: null }));
  const steps: PlannedStep[] = [];
  for (const binding of [...bindings, ...unknown]) {
    const { kind, namespace, name } = binding;
    const object = cache.get(kind, namespace, name);
    const bound = (await binder.unbound(namespace, rows.get(namespace) ?? null)) === null;
    const step = decide({ binding, object, collection: cache.collection(kind, namespace), bound });
    if (step === 'NOTHING' || step === 'WAIT') continue;
    const same = (step === 'IMPORT' || step === 'EXPORT') && object !== null && binding.objectUid === object.metadata.uid && binding.generation === String(object.metadata.generation);
    steps.push({ step: same ? 'SAME' : step, kind, namespace, name });
  }
  return steps.toSorted((a, b) => `${a.namespace}/${a.kind}/${a.name}`.localeCompare(`${b.namespace}/${b.kind}/${b.name}`));
}

const WORDS: Record<PlannedStep['step'], string> = {
  SAME: 'is the same on both sides', FORGET: 'would be forgotten', ORPHAN: 'would be left without an owner: its CRD isn\'t there', UNBOUND: 'waits: its namespace belongs to no team',
  UNKNOWN_MIRROR: 'says that it is a mirror, and nothing is known of it', END: 'would be deleted, after its grace', IMPORT: 'would be imported', EXPORT: 'would be mirrored', CONFLICT: 'has a name that is taken',
};

/** A planned step for people. */
export function planLine({ step, kind, namespace, name }: PlannedStep): string {
  return `${kind} ${namespace}/${name} ${WORDS[step]}.`;
}

import type { Claim } from '#core/store/schedule.js';
import type { Store } from '#core/store/store.js';
import type { Reconciler, ReconcileResult } from '../runtime/reconciler.js';
import type { NamespaceBinder } from './namespace-binder.js';

const LOOK_MS = 10 * 60_000;

/** Keeps the binding of a namespace true, also when it was bound through the API. */
export class MirrorNamespaceReconciler implements Reconciler {
  readonly kind = 'MirrorNamespace';

  constructor(private readonly options: { store: Store; binder: NamespaceBinder }) {}

  async reconcile({ id }: Claim): Promise<ReconcileResult> {
    const { store, binder } = this.options;
    const row = await store.mirrorNamespaces.byId(id);
    if (row === null) return 'GONE';
    await binder.look(row.namespace);
    return { requeueAfterMs: LOOK_MS };
  }
}

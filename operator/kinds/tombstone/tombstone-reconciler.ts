import type { Claim } from '#core/store/schedule.js';
import type { Store } from '#core/store/store.js';
import type { Leftovers } from '#core/upkeep/leftovers.js';
import type { Reconciler, ReconcileResult } from '../../runtime/reconciler.js';

const HELD_LOOK_MS = 24 * 3_600_000;

/** Ends what a deleted manifest declared when its grace is over. It takes no cluster: PostgreSQL finishes alone. */
export class TombstoneReconciler implements Reconciler {
  readonly kind = 'Tombstone';

  constructor(private readonly options: { store: Store; leftovers: Pick<Leftovers, 'prepare' | 'collect'> }) {}

  async reconcile(claim: Claim): Promise<ReconcileResult> {
    const { store, leftovers } = this.options;
    const found = await store.mirrorObjects.byId(claim.id);
    if (found?.state !== 'TOMBSTONE') return 'GONE';
    if (found.teamId !== null) await leftovers.prepare(found.teamId);
    return store.transaction(async (repositories): Promise<ReconcileResult> => {
      const { mirrorObjects, connectionTypes, enrollments } = repositories;
      const binding = await mirrorObjects.lock(claim.id);
      if (binding?.state !== 'TOMBSTONE' || !(await repositories.schedule.holds(claim))) return 'GONE';
      if (binding.graceUntil === null) return { requeueAfterMs: HELD_LOOK_MS };
      const left = binding.graceUntil.getTime() - (await repositories.now()).getTime();
      if (left > 0) return { requeueAfterMs: left };
      const { subjectId, teamId } = binding;
      if (subjectId !== null && teamId !== null) {
        await leftovers.collect(repositories, binding.kind === 'ConnectionType' ? { connectionTypeId: subjectId } : { enrollmentIds: [subjectId] });
        if (binding.kind === 'ConnectionType') await connectionTypes.remove(subjectId, null);
        else await enrollments.remove(subjectId);
        await repositories.audit.append({
          teamId, actorId: null, actorName: `manifest ${binding.namespace}/${binding.name}`, onBehalfOfName: null, tokenId: null, action: 'endManifest', subjectType: binding.kind, subjectId,
          subjectName: binding.name, outcome: 'SUCCEEDED', code: null, requestId: binding.id,
        });
        await repositories.announce(teamId);
      }
      await mirrorObjects.remove(binding.id);
      return 'GONE';
    });
  }
}

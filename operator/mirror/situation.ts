import type { MirrorNamespace, MirrorObject } from '#core/store/entities/mirror.entity.js';
import type { MirrorRows } from '#core/store/mirror-looks.js';
import type { Claim } from '#core/store/schedule.js';
import type { Repositories, Store } from '#core/store/store.js';
import { writeInRun } from '#core/upkeep/run.js';
import type { CustomResource } from '../manifest/resources.js';
import type { Verdict } from './conditions.js';

/** One custom resource and its row, as they were when a run began: what everything is decided by. */
export interface Situation {
  claim: Claim;
  binding: MirrorObject;
  /** The object in the cluster, if there is one. */
  object: CustomResource | null;
  /** Its namespace's. */
  namespace: MirrorNamespace;
  /** What PostgreSQL has of it. */
  rows: MirrorRows;
}

/** A situation with an object. */
export type SituationThere = Situation & { object: CustomResource };

/** What a run came to: what is said of the object, and when it is to be looked at by itself. Null: nothing is said, because it is gone, or not ours. */
export interface Outcome {
  verdict: Verdict;
  requeueAfterMs?: number;
  /** The binding as it is now; another one than the run began with where anything was written. */
  binding?: MirrorObject;
}

/** Runs `work` in a transaction that is rolled back if the run doesn't count any more; the team hears of it. */
export async function fenced<T>(store: Store, claim: Claim, teamId: string, work: (repositories: Repositories) => Promise<T>): Promise<T> {
  return writeInRun(store, { holds: (repositories) => repositories.schedule.holds(claim) }, async (repositories) => {
    const result = await work(repositories);
    await repositories.announce(teamId);
    return result;
  });
}

/** Puts on record what a manifest, or its end, did. */
export async function audited(repositories: Repositories, { binding, namespace, object }: Situation, action: string, subjectId: string | null): Promise<void> {
  await repositories.audit.append({
    teamId: namespace.teamId, actorId: null, actorName: `manifest ${binding.namespace}/${binding.name}`, onBehalfOfName: null, tokenId: null, action,
    subjectType: binding.kind, subjectId, subjectName: binding.name, outcome: 'SUCCEEDED', code: null, requestId: `${object?.metadata.uid ?? binding.id}/${object?.metadata.generation ?? 0}`,
  });
}

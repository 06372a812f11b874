import type { Logger } from '#core/log.js';
import type { Store } from '#core/store/store.js';
import type { EventRecorder } from '../kubernetes/event-recorder.js';
import type { Cluster } from './cluster.js';
import { audited, fenced, type Situation } from './situation.js';

/** What {@link Burial} is built of. */
export interface BurialOptions {
  store: Store;
  cluster: Cluster;
  events: EventRecorder;
  graceSeconds: number;
  logger: Logger;
}

/** The fewest deletions in ten minutes that are many, and the share of a team's bindings that are. */
const MANY = { atLeast: 5, share: 0.1 };

/** Whether so many deletions at once are taken for an accident (design section 8). Pure. */
export function tooMany({ bindings, deleted }: { bindings: number; deleted: number }): boolean {
  return deleted > Math.max(MANY.atLeast, bindings * MANY.share);
}

/** The end of a manifest: a tombstone with a grace, or, where nobody meant to delete what it declared, a row without an owner. The finalizer goes at once. */
export class Burial {
  constructor(private readonly options: BurialOptions) {}

  /** For a manifest that is being deleted, or is gone. */
  async end(situation: Situation): Promise<void> {
    const { store, cluster } = this.options;
    const { binding, object, claim } = situation;
    // A tombstone already, or one that nobody owns: only the finalizer is left.
    if (binding.state === 'ACTIVE') {
      if (binding.subjectId === null) await store.mirrorObjects.remove(binding.id);
      else if (await this.#kept(situation)) await this.orphan(situation);
      else await this.#bury(situation, binding.subjectId);
    }
    if (object !== null) await cluster.releaseFinalizer(object);
    void claim;
  }

  /** The row stays, and waits for a manifest of that name or for somebody who takes it. */
  async orphan(situation: Situation): Promise<void> {
    const { binding, claim, namespace } = situation;
    await fenced(this.options.store, claim, namespace.teamId, async (repositories) => {
      await repositories.mirrorObjects.update(binding.id, { state: 'ORPHANED', objectUid: null, generation: null, version: null });
      await audited(repositories, situation, 'orphanManifest', binding.subjectId);
    });
  }

  async #kept({ binding, namespace, object }: Situation): Promise<boolean> {
    const { store, cluster } = this.options;
    if (namespace.state !== 'BOUND') return true;
    // What the manifest said last counts, also where there was no time to import that.
    if (object?.spec['deletionPolicy'] === 'Retain') return true;
    if (object === null && binding.kind === 'ConnectionType' && (await store.connectionTypes.evenHidden(binding.subjectId!))?.spec.deletionPolicy === 'RETAIN') return true;
    return object !== null && cluster.vanishing(binding.kind, binding.namespace);
  }

  async #bury(situation: Situation, subjectId: string): Promise<void> {
    const { store, events, graceSeconds, logger } = this.options;
    const { binding, claim, namespace, object } = situation;
    const held = await fenced(store, claim, namespace.teamId, async (repositories) => {
      const noun = binding.kind === 'ConnectionType' ? repositories.connectionTypes : repositories.enrollments;
      await noun.hide(subjectId);
      await repositories.mirrorObjects.bury(binding.id, graceSeconds);
      await audited(repositories, situation, 'deleteManifest', subjectId);
      const current = await repositories.mirrorNamespaces.byId(namespace.id);
      const many = current?.heldSince != null || tooMany(await repositories.mirrorObjects.deletions(namespace.teamId));
      if (many) await repositories.mirrorObjects.hold(namespace.teamId);
      return many;
    });
    if (!held) return;
    logger.warn({ namespace: binding.namespace, name: binding.name }, 'so much was deleted at once that nothing of it ends before an administrator confirms it (confirmDeletions)');
    if (object !== null) events.record(object, 'Warning', 'DeletionsHeld', 'So much was deleted at once that nothing of it ends before an administrator of the team confirms it with confirmDeletions.');
  }
}

import DataLoader from 'dataloader';
import type { Claim } from '#core/store/schedule.js';
import type { Repositories, Store } from '#core/store/store.js';
import type { TypeSituation, UneventfulLook } from '#core/store/type-looks.js';
import { nothingNew, type Look } from '#core/upkeep/look-outcome.js';
import { secretNearingExpiry } from '#core/upkeep/oauth-clients.js';
import { writeInRun, type CheckRun } from '#core/upkeep/run.js';
import type { Upkeep } from '#core/upkeep/upkeep.js';
import type { Reconciler, ReconcileResult } from '../../runtime/reconciler.js';
import { discoveryIsDue, nextLookMs, ownListHasEnded } from './policies.js';

/** What {@link ConnectionTypeReconciler} is built of. */
export interface ConnectionTypeReconcilerOptions {
  store: Store;
  upkeep: Pick<Upkeep, 'see' | 'record'>;
  /** From 0 to 1. */
  random: () => number;
}

const AT_ONCE = 100;
/** Looks that end within this time are settled by one statement: a check isn't waited for. */
const SETTLE_WITHIN_MS = 15;

/**
 * Keeps what is said of a server true: whether it answers, its tools, its OAuth, and when it will be looked at next. Most looks find nothing new: those of
 * runs that begin together are gathered by one statement, and settled by another.
 */
export class ConnectionTypeReconciler implements Reconciler {
  readonly kind = 'ConnectionType';
  readonly #situations: DataLoader<string, TypeSituation | null>;
  readonly #settling: DataLoader<UneventfulLook, boolean, string>;

  constructor(private readonly options: ConnectionTypeReconcilerOptions) {
    const { typeLooks } = options.store;
    this.#situations = new DataLoader(async (ids) => {
      const found = new Map((await typeLooks.situations(ids)).map((one) => [one.type.id, one]));
      return ids.map((id) => found.get(id) ?? null);
    }, { cache: false, maxBatchSize: AT_ONCE });
    this.#settling = new DataLoader(async (looks) => {
      const settled = await typeLooks.settle(looks);
      return looks.map(({ claim }) => settled.has(claim.id));
    }, { cache: false, maxBatchSize: AT_ONCE, batchScheduleFn: (settle) => { setTimeout(settle, SETTLE_WITHIN_MS); } });
  }

  async reconcile(claim: Claim, signal: AbortSignal): Promise<ReconcileResult> {
    const { upkeep, random } = this.options;
    const before = await this.#situations.load(claim.id);
    if (before === null) return 'GONE';
    const { type } = before;
    const oauth = discoveryIsDue({ ...before, method: type.spec.authMethod, conditions: before.status.conditions, clientWantsCare: wantsCare(before) });
    const look = await upkeep.see(type);
    signal.throwIfAborted();
    if (!oauth && nothingNew(before, look)) {
      const requeueAfterMs = nextLookMs(type.spec.health.intervalSeconds * 1000, 0, random());
      const toolsRead = look.report.tools !== null || Array.isArray(look.shared);
      if (await this.#settling.load({ claim, situation: before, toolsRead, requeueAfterMs })) return { requeueAfterMs, ended: true };
    }
    const run = { routine: true, oauth, signal, holds: (repositories: Repositories) => repositories.schedule.holds(claim) };
    await upkeep.record(type, look, run);
    signal.throwIfAborted();
    return this.#plan(claim.id, before, look, run);
  }

  /** When the server is to be looked at next, on record; and what follows from a list that has ended. */
  async #plan(id: string, before: TypeSituation, { report }: Look, run: CheckRun): Promise<ReconcileResult> {
    const { store, random } = this.options;
    const type = await store.connectionTypes.byId(id);
    const [status] = await store.connectionTypes.statuses([id]);
    if (type === null || status === undefined) return 'GONE';
    const requeueAfterMs = nextLookMs(type.spec.health.intervalSeconds * 1000, status.failedChecks, random(), report.retryAfterMs);
    await writeInRun(store, run, async (repositories) => {
      const now = await repositories.now();
      await repositories.connectionTypes.updateStatus(id, { nextCheckAt: new Date(now.getTime() + requeueAfterMs) });
      if (ownListHasEnded(before.status.toolsSource, status.toolsSource)) await repositories.schedule.mark('Enrollment', await repositories.enrollments.withoutTools(id));
    });
    return { requeueAfterMs };
  }
}

function wantsCare({ client, now }: TypeSituation): boolean {
  return client !== null && (client.state !== 'ACTIVE' || secretNearingExpiry(client, now));
}

import type { Claim } from '#core/store/schedule.js';
import type { Repositories, Store } from '#core/store/store.js';
import { secretNearingExpiry } from '#core/upkeep/oauth-clients.js';
import { writeInRun } from '#core/upkeep/run.js';
import type { Upkeep } from '#core/upkeep/upkeep.js';
import type { Reconciler, ReconcileResult } from '../../runtime/reconciler.js';
import { discoveryIsDue, nextLookMs, ownListHasEnded } from './policies.js';

/** What {@link ConnectionTypeReconciler} is built of. */
export interface ConnectionTypeReconcilerOptions {
  store: Store;
  upkeep: Pick<Upkeep, 'checkType'>;
  /** From 0 to 1. */
  random: () => number;
}

/** Keeps what is said of a server true: whether it answers, its tools, its OAuth, and when it will be looked at next. */
export class ConnectionTypeReconciler implements Reconciler {
  readonly kind = 'ConnectionType';

  constructor(private readonly options: ConnectionTypeReconcilerOptions) {}

  async reconcile(claim: Claim, signal: AbortSignal): Promise<ReconcileResult> {
    const { store, upkeep, random } = this.options;
    const before = await this.#gather(claim.id);
    if (before === null) return 'GONE';
    const run = { signal, holds: (repositories: Repositories) => repositories.schedule.holds(claim) };
    await upkeep.checkType(claim.id, { routine: true, oauth: discoveryIsDue(before), ...run });
    signal.throwIfAborted();

    const type = await store.connectionTypes.byId(claim.id);
    const [status] = await store.connectionTypes.statuses([claim.id]);
    if (type === null || status === undefined) return 'GONE';
    const requeueAfterMs = nextLookMs(type.spec.health.intervalSeconds * 1000, status.failedChecks, random());
    await writeInRun(store, run, async (repositories) => {
      const now = await repositories.now();
      await repositories.connectionTypes.updateStatus(claim.id, { nextCheckAt: new Date(now.getTime() + requeueAfterMs) });
      if (ownListHasEnded(before.toolsSource, status.toolsSource)) await repositories.schedule.mark('Enrollment', await repositories.enrollments.withoutTools(claim.id));
    });
    return { requeueAfterMs };
  }

  async #gather(id: string) {
    const { store } = this.options;
    const [type, [status], discovery, client, now] = await Promise.all([
      store.connectionTypes.byId(id), store.connectionTypes.statuses([id]), store.oauthClients.discovery(id), store.oauthClients.current(id), store.now(),
    ]);
    if (type === null || status === undefined) return null;
    const clientWantsCare = client !== null && (client.state !== 'ACTIVE' || secretNearingExpiry(client, now));
    return { method: type.spec.authMethod, discoveredAt: discovery?.discoveredAt ?? null, conditions: status.conditions, clientWantsCare, now, toolsSource: status.toolsSource };
  }
}

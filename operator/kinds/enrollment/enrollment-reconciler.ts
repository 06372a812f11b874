import { UserFault } from '#core/errors.js';
import type { Claim } from '#core/store/schedule.js';
import type { Store } from '#core/store/store.js';
import type { OAuthTokens } from '#core/upkeep/oauth-tokens.js';
import { ProviderUnavailable } from '#core/upkeep/oauth-tokens-wait.js';
import type { Upkeep } from '#core/upkeep/upkeep.js';
import type { Reconciler, ReconcileResult } from '../../runtime/reconciler.js';
import { gatherFacts } from './facts.js';
import { loginIsDue, nextLookMs, trialIsDue } from './policies.js';

/** What {@link EnrollmentReconciler} is built of. */
export interface EnrollmentReconcilerOptions {
  store: Store;
  upkeep: Pick<Upkeep, 'checkEnrollment'>;
  tokens: Pick<OAuthTokens, 'refreshIfDue'>;
  /** From 0 to 1. */
  random: () => number;
}

const REFRESH_WAIT_MS = 60_000;

/** Keeps a credential usable for as long as that takes no person: logins are renewed before they end, others tried now and then. */
export class EnrollmentReconciler implements Reconciler {
  readonly kind = 'Enrollment';

  constructor(private readonly options: EnrollmentReconcilerOptions) {}

  async reconcile(claim: Claim, signal: AbortSignal): Promise<ReconcileResult> {
    const { store, upkeep, random } = this.options;
    let facts = await gatherFacts(store, claim.id);
    if (facts !== null && loginIsDue(facts)) {
      await this.#refresh(claim.id, signal);
      facts = await gatherFacts(store, claim.id);
    }
    if (facts !== null && trialIsDue(facts)) {
      signal.throwIfAborted();
      await upkeep.checkEnrollment(claim.id, { routine: true, oauth: false, signal, holds: (repositories) => repositories.schedule.holds(claim) });
      facts = await gatherFacts(store, claim.id);
    }
    return facts === null ? 'GONE' : { requeueAfterMs: nextLookMs(facts, random()) };
  }

  /** Its answer is stored even if this run is over by then: the credential's version is its fence (design section 7). */
  async #refresh(id: string, signal: AbortSignal): Promise<void> {
    try {
      await this.options.tokens.refreshIfDue(id, { timeoutMs: REFRESH_WAIT_MS, signal });
    } catch (error) {
      // On record as conditions, with the next attempt's time where there is one.
      if (!(error instanceof UserFault) && !(error instanceof ProviderUnavailable)) throw error;
    }
  }
}

import type { Claim, ScheduledKind } from '#core/store/schedule.js';

/** How a run ended that did not throw: when the object is to be looked at again by itself, or that it is gone and leaves the schedule. */
export type ReconcileResult = { requeueAfterMs: number; ended?: true } | 'GONE';

/**
 * The contract of everything that the operator keeps true, one implementation per kind.
 *
 * `reconcile` is level-triggered: it starts from what is stored and from what the world shows, never from an event, and brings one to the other. It is idempotent:
 * a second run right after the first writes nothing but the schedule and the times of probes, and tells nobody. It may be cut off at any point; the next run goes on.
 *
 * | it | then |
 * |---|---|
 * | returns `requeueAfterMs` | the object waits for so long, or until it is marked; failures are forgotten |
 * | returns `ended` with it | the same, and the run was taken off the schedule already, by the statement that wrote what it found |
 * | returns `GONE` | there is no such object any more |
 * | throws `InvariantBroken` | terminal: repeating makes nothing better, so the object waits until it is marked, or a day |
 * | throws `RunOver` | the run was given to somebody else meanwhile: nothing is written |
 * | throws anything else | it is run again after a back-off with jitter, of one second at first and 15 minutes at the most |
 *
 * What servers and logins do wrong is no error of a run: it is observed as conditions.
 */
export interface Reconciler {
  readonly kind: ScheduledKind;
  /**
   * @param claim the key of the object, and the epoch that each write of a status is checked against
   * @param signal aborted at the run's deadline, and at shutdown when its grace is over: nothing more is to be begun
   */
  reconcile(claim: Claim, signal: AbortSignal): Promise<ReconcileResult>;
}

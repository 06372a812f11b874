import { Grouped } from './grouped.js';
import type { Claim, ClaimRequest, RunEnding, Schedule } from './schedule.js';

/** The schedule as workers use it: runs that end at the same time are ended by one statement. */
export class GroupedSchedule implements Pick<Schedule, 'claim' | 'finish' | 'forget'> {
  readonly #endings: Grouped<RunEnding, boolean>;

  constructor(private readonly schedule: Schedule) {
    this.#endings = new Grouped({ write: (endings) => schedule.finishAll(endings), mark: () => null, isItemFault: () => false });
  }

  /** See {@link Schedule.claim}. */
  claim(request: ClaimRequest): Promise<Claim[]> {
    return this.schedule.claim(request);
  }

  /** See {@link Schedule.finish}. */
  finish(claim: Claim, afterMs: number, failures: number): Promise<boolean> {
    return this.#endings.add({ claim, afterMs, failures });
  }

  /** See {@link Schedule.forget}. */
  forget(claim: Claim): Promise<void> {
    return this.schedule.forget(claim);
  }
}

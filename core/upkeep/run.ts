import type { Repositories } from '../store/store.js';

/** How a check is made, and what it must keep to. */
export interface CheckRun {
  /** Of the routine: a server that was there is given up after three failures in a row, not after one, and logins are read on their own schedule. */
  routine: boolean;
  /** Whether the type's OAuth is looked at too. */
  oauth: boolean;
  /** Aborted when the run is over its time: nothing more is begun. */
  signal?: AbortSignal;
  /** Whether the run still counts; asked last in each of its transactions, which are rolled back if it doesn't. */
  holds?: (repositories: Repositories) => Promise<boolean>;
}

/** A check that a person waits for: what is seen is said at once. */
export const AT_ONCE: CheckRun = { routine: false, oauth: true };

/** The run was over when it wanted to write: somebody else has taken its place. Nothing was written. */
export class RunOver extends Error {
  override readonly name = 'RunOver';
}

import type { Repositories, Store } from '../store/store.js';

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
  constructor() {
    super('somebody else reconciles this object by now');
  }
}

/**
 * One transaction of a run: what `work` writes stays only if the run still counts at its end.
 * Whoever takes the run's place between that question and the commit writes after it, since both take the type's lock.
 * @throws {RunOver} it doesn't; the signal's reason when the run is over its time
 */
export async function writeInRun<T>(store: Pick<Store, 'transaction'>, { signal, holds }: Pick<CheckRun, 'signal' | 'holds'>, work: (repositories: Repositories) => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  return store.transaction(async (repositories) => {
    const result = await work(repositories);
    if (holds !== undefined && !(await holds(repositories))) throw new RunOver();
    return result;
  });
}

/**
 * Asked right before a request that must not be sent twice. A run that is over sends none of those any more.
 * @throws {RunOver}; the signal's reason when the run is over its time
 */
export async function stillInRun(store: Store, { signal, holds }: Pick<CheckRun, 'signal' | 'holds'>): Promise<void> {
  signal?.throwIfAborted();
  if (holds !== undefined && !(await holds(store))) throw new RunOver();
}

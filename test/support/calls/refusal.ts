import { UserFault } from '#core/errors.js';

/** The refusal that `work` ends with; throws when it was none. */
export async function refusal(work: Promise<unknown>): Promise<UserFault> {
  const error: unknown = await work.then(() => null, (cause: unknown) => cause);
  if (!(error instanceof UserFault)) throw new Error('was not refused', { cause: error });
  return error;
}

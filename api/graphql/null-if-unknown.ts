import { UserFault } from '#core/errors.js';

/** The answer of a query for one object: what isn't there, or isn't in the caller's reach, is null. */
export async function nullIfUnknown<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof UserFault && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

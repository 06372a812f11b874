/** Why the database, or the folder of our state, can't be used. */
export const START_FAULT_CODES = [
  'UNSUPPORTED_PLATFORM', 'DIRECTORY_IN_USE', 'VERSION_MISMATCH', 'NO_SPACE', 'NO_PERMISSION', 'NOT_A_STATE_FOLDER', 'NO_ACCOUNT', 'KEYS_MISSING', 'DATABASE_UNUSABLE', 'FAILED',
] as const;
export type StartFaultCode = (typeof START_FAULT_CODES)[number];

/**
 * Something on this machine, or about the database, keeps us from starting. `message` is written for whoever runs the program:
 * it says what is wrong and what to do about it, and holds no secret.
 */
export class StartFault extends Error {
  override readonly name = 'StartFault';
  constructor(readonly code: StartFaultCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
  }
}

/** The way out that always works: what every {@link StartFault} about the embedded server ends with. */
export const USE_OWN_SERVER = 'Or set DATABASE_URL to a PostgreSQL 18 server of your own: then nothing is embedded.';

/** Turns a file system error at `path` into a {@link StartFault} where a person can act on it; returns anything else unchanged. */
export function fileFault(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new StartFault('NO_PERMISSION', `${path} can't be written by this user (${code}). Make it writable, or set FAIRLEAD_STATE_DIR to a folder that is.`,
      { cause: error });
  }
  if (code === 'EEXIST' || code === 'ENOTDIR' || code === 'EISDIR') {
    return new StartFault('NOT_A_STATE_FOLDER', `${(error as NodeJS.ErrnoException).path ?? path} isn't what Fairlead keeps there (${code}): a file is where a folder belongs, or the reverse. Move it away, or set FAIRLEAD_STATE_DIR to another folder.`,
      { cause: error });
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new StartFault('NO_SPACE', `No space is left for ${path} (${code}). Free some, or set FAIRLEAD_STATE_DIR to a folder on another disk.`, { cause: error });
  }
  return error;
}

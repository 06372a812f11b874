import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { giveTo, type Account } from './account.js';

/** The address of a socket may have so many bytes, with its end: 108 on Linux, 104 on macOS (`sun_path`). */
const LONGEST_ADDRESS = 103;
/** What PostgreSQL names a socket, with the longest port. */
const LONGEST_NAME = '/.s.PGSQL.65535';
/** What would need quoting in PostgreSQL's list of folders. */
const UNUSUAL = /["\\,\p{C}]/u;

/**
 * Makes the folder for the Unix-domain socket of the server that lives in `directory`, open to its account alone: a statement over it takes less time than one over TCP. Null where the
 * socket's address would be too long, or its folder has a name that doesn't fit into PostgreSQL's settings: then there is TCP.
 */
export async function makeSocketFolder(directory: string, account: Account): Promise<string | null> {
  const folder = join(directory, 'run');
  if (process.platform === 'win32' || UNUSUAL.test(folder) || Buffer.byteLength(folder + LONGEST_NAME) > LONGEST_ADDRESS) return null;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await giveTo(account, folder);
  await chmod(folder, 0o700);
  return folder;
}

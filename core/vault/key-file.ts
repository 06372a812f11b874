import { randomBytes } from 'node:crypto';
import { link, open, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyRing } from './key-ring.js';
import { VaultError } from './vault-error.js';

/**
 * The key ring of local mode, and of local mode only: reads the file, or makes one with a single new key (mode 0600). It appears whole or not at all, and of two
 * processes that make it at once both read the same one. Its folder must exist.
 *
 * Throws {@link VaultError} `KEY_FILE_UNSAFE` if anyone but the owner may read or write it, `KEYS_INVALID` for its content, and the file system's errors as they come.
 */
export async function readOrCreateKeyFile(path: string): Promise<KeyRing> {
  const existing = await read(path);
  if (existing !== null) return existing;
  await create(path, `${KeyRing.generateEntry()}\n`);
  const created = await read(path);
  if (created === null) throw new VaultError('KEY_FILE_UNSAFE', `The key file ${path} vanished right after it was made. See what else writes to that folder.`);
  return created;
}

/** Reads a key ring's file again, which may since have been replaced. Throws as {@link readOrCreateKeyFile}; a file that has vanished is `KEY_FILE_UNSAFE`. */
export async function readKeyFile(path: string): Promise<KeyRing> {
  const ring = await read(path);
  if (ring === null) throw new VaultError('KEY_FILE_UNSAFE', `The key file ${path} is gone. Put it back: this process goes on with the ring that it has read before.`);
  return ring;
}

async function read(path: string): Promise<KeyRing | null> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    // Asked of the open file, not of its path: it can't be exchanged in between.
    const stat = await file.stat();
    if (!stat.isFile()) throw new VaultError('KEY_FILE_UNSAFE', `The key file ${path} is not a regular file. Move it away, or name another one.`);
    if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
      throw new VaultError('KEY_FILE_UNSAFE', `The key file ${path} is open to other users (mode ${mode}). Run \`chmod 600 ${path}\`, and replace the key if others may have read it.`);
    }
    return KeyRing.parse(await file.readFile('utf8'));
  } finally {
    await file.close();
  }
}

/** Written beside, synced, then linked into place: `link` fails where `rename` would replace the key that another process has just made. */
async function create(path: string, text: string): Promise<void> {
  const beside = `${path}.${randomBytes(6).toString('hex')}.new`;
  const file = await open(beside, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(beside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(beside);
  }
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

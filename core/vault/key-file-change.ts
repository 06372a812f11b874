import { randomBytes } from 'node:crypto';
import { open, readFile, realpath, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyRing } from './key-ring.js';
import { VaultError } from './vault-error.js';

/** The text of a ring with a new entry in front, which is checked as a whole. */
export function withEntry(text: string, entry: string): string {
  return checked([entry, ...entriesOf(text)]);
}

/** The text of a ring without the entry of that id, and that entry. Throws {@link VaultError} `KEYS_INVALID` if it isn't there, or if it is the first. */
export function withoutEntry(text: string, id: string): { text: string; entry: string } {
  const ring = KeyRing.parse(text);
  if (!ring.ids.includes(id)) throw new VaultError('KEYS_INVALID', `The ring holds no key ${JSON.stringify(id)}. It holds ${ring.ids.join(', ')}.`);
  if (ring.primaryId === id) throw new VaultError('KEYS_INVALID', `${id} is the first key of the ring, which wraps. Put another one in front before: \`fairlead keys rotate\`.`);
  const entries = entriesOf(text);
  const entry = entries.find((one) => one.startsWith(`${id}:`))!;
  return { text: checked(entries.filter((one) => one !== entry)), entry };
}

function entriesOf(text: string): string[] {
  return text.split(/[,\r\n]/).map((entry) => entry.replaceAll(/\s/g, '')).filter((entry) => entry !== '');
}

function checked(entries: readonly string[]): string {
  const text = `${entries.join('\n')}\n`;
  KeyRing.parse(text);
  return text;
}

/**
 * Replaces a key file by what `change` makes of its text: whoever reads sees the old ring or the new one, whole, and it is on disk when this resolves. Owner and mode stay as they are.
 * One change at a time: a second one is refused, since of two that begin with the same ring one would lose the other's key.
 * @returns whether it could be written; false where file or folder is read-only, and then nothing has changed
 * @throws VaultError `KEY_FILE_UNSAFE` when another change is under way; what `change` throws; the file system's other errors
 */
export async function changeKeyFile(path: string, change: (text: string) => string | Promise<string>): Promise<boolean> {
  const file = await realpath(path);
  // Whoever took away the right to write didn't mean it to be replaced, even if the folder would allow that.
  if (((await stat(file)).mode & 0o200) === 0) return false;
  const lock = `${file}.lock`;
  try {
    await (await open(lock, 'wx', 0o600)).close();
  } catch (error) {
    if (isReadOnly(error)) return false;
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new VaultError('KEY_FILE_UNSAFE', `The key file ${path} is being changed by another command. If none runs (it was killed), remove ${lock} and try again: the key file itself is whole.`);
  }
  try {
    await replace(file, await change(await readFile(file, 'utf8')));
    return true;
  } catch (error) {
    if (isReadOnly(error)) return false;
    throw error;
  } finally {
    await unlink(lock);
  }
}

/** Adds a line to a file of mode 0600 that is made if it isn't there: for keys that were taken out, which backups may still need. */
export async function keepAside(path: string, line: string): Promise<void> {
  const file = await open(path, 'a', 0o600);
  try {
    await file.writeFile(`${line}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function replace(path: string, text: string): Promise<void> {
  const { mode, uid, gid } = await stat(path);
  const beside = `${path}.${randomBytes(6).toString('hex')}.new`;
  const file = await open(beside, 'wx', 0o600);
  try {
    await file.writeFile(text);
    const made = await file.stat();
    // Run by another user than the processes' own (root, say), it would otherwise lock them out.
    if (made.uid !== uid || made.gid !== gid) await file.chown(uid, gid);
    await file.chmod(mode & 0o777);
    await file.sync();
  } catch (error) {
    await file.close();
    await unlink(beside);
    throw error;
  }
  await file.close();
  await rename(beside, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function isReadOnly(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '');
}

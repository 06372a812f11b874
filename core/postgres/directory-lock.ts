import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseSync } from 'node:sqlite';
import { fileFault, StartFault } from './start-fault.js';

/** Who holds a folder, as they wrote it down when they took it. */
export interface LockHolder {
  pid: number;
  /** ISO 8601. */
  since: string;
}

/**
 * Exclusive use of a folder, from `acquire` until `release` or the end of the process, however it ends.
 *
 * It is a lock of the operating system (fcntl) on `<folder>/lock`, so that it needs no cleaning up after `kill -9`, survives the reuse of
 * process ids, and holds between containers that share a volume. Node has no call for such locks; the SQLite inside Node takes one for any
 * exclusive transaction, and the file stays empty.
 */
export class DirectoryLock {
  private constructor(private readonly database: DatabaseSync) {}

  /**
   * Takes the folder, and creates it (mode 0700) if it doesn't exist. Waits three seconds for a holder that is just stopping.
   * @throws StartFault `DIRECTORY_IN_USE` naming the holder, `NO_PERMISSION`, `NO_SPACE`, `NOT_A_STATE_FOLDER`
   */
  static async acquire(directory: string, now: () => Date): Promise<DirectoryLock> {
    // Who was told to stop a moment ago may still be stopping.
    for (let tries = 0; tries <= 15; tries += 1) {
      const lock = await DirectoryLock.tryAcquire(directory, now);
      if (lock !== null) return lock;
      await delay(200);
    }
    const holder = await readHolder(directory);
    const who = holder === null ? 'Another process' : `Process ${holder.pid} (since ${holder.since})`;
    throw new StartFault('DIRECTORY_IN_USE',
      `${who} is already running on ${directory}. Use that one, stop it first, or set FAIRLEAD_STATE_DIR to another folder for a second one.`);
  }

  /** Like {@link acquire}, but answers null when somebody else holds the folder. */
  static async tryAcquire(directory: string, now: () => Date): Promise<DirectoryLock | null> {
    try {
      await makeFolder(directory);
      await writeFile(join(directory, 'lock'), '', { flag: 'a', mode: 0o600 });
    } catch (error) {
      throw fileFault(error, directory);
    }
    const database = new DatabaseSync(join(directory, 'lock'), { timeout: 0 });
    try {
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return null;
      throw new StartFault('FAILED', `${join(directory, 'lock')} can't be locked. Does its file system support locks?`, { cause: error });
    }
    const holder: LockHolder = { pid: process.pid, since: now().toISOString() };
    await writeFile(join(directory, 'lock-holder.json'), JSON.stringify(holder), { mode: 0o600 });
    return new DirectoryLock(database);
  }

  /** Gives the folder back. */
  release(): void {
    if (this.database.isOpen) this.database.close();
  }
}

/** https://sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;

/** Node's own way, with `recursive`, never ends where the system makes no folders (below `/proc`). */
async function makeFolder(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && await isFolder(directory)) return;
    if (code !== 'ENOENT') throw error;
    if (await isFolder(dirname(directory))) throw new StartFault('NOT_A_STATE_FOLDER', `No folder can be made at ${directory}. Set FAIRLEAD_STATE_DIR to another one.`, { cause: error });
    await makeFolder(dirname(directory));
    await makeFolder(directory);
  }
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isDirectory(), () => false);
}

async function readHolder(directory: string): Promise<LockHolder | null> {
  try {
    return JSON.parse(await readFile(join(directory, 'lock-holder.json'), 'utf8')) as LockHolder;
  } catch {
    return null;
  }
}

import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Logger } from '#core/log.js';
import { StartFault } from './start-fault.js';

const run = promisify(execFile);

/** What a running server writes into `postmaster.pid` (https://www.postgresql.org/docs/18/storage-file-layout.html). */
export interface Postmaster {
  pid: number;
  port: number;
  ready: boolean;
}

/** Reads `postmaster.pid`, or null where there is none (or one that isn't written yet). */
export async function readPostmaster(dataFolder: string): Promise<Postmaster | null> {
  let lines: string[];
  try {
    lines = (await readFile(join(dataFolder, 'postmaster.pid'), 'utf8')).split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const pid = Number(lines[0]);
  return Number.isInteger(pid) && pid > 0 ? { pid, port: Number(lines[3]), ready: lines[7]?.trim() === 'ready' } : null;
}

/**
 * Stops the server that a killed program left on `dataFolder`, and waits until it is gone. The caller holds the folder's lock, so that whatever runs there has lost
 * its owner. Where the process id belongs to somebody else by now, nobody is touched and the stale file is removed, which PostgreSQL itself would trip over.
 * @returns whether there was anything to clear away
 * @throws StartFault `FAILED` if it doesn't end
 */
export async function clearLeftover(dataFolder: string, logger: Logger): Promise<boolean> {
  const postmaster = await readPostmaster(dataFolder);
  if (postmaster === null) return false;
  if (!(await servesFolder(postmaster.pid, dataFolder))) {
    await rm(join(dataFolder, 'postmaster.pid'), { force: true });
    return true;
  }
  logger.warn({ pid: postmaster.pid }, 'stopping the PostgreSQL that an earlier run left behind');
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (await endProcess(postmaster.pid, signal)) return true;
  }
  throw new StartFault('FAILED', `The PostgreSQL of an earlier run (process ${postmaster.pid}) can't be stopped. Stop it by hand, then start again.`);
}

const STOP_WAIT_MS = 10_000;

async function endProcess(pid: number, signal: NodeJS.Signals): Promise<boolean> {
  try {
    process.kill(pid, signal);
    for (const end = performance.now() + STOP_WAIT_MS; performance.now() < end;) {
      await sleep(20);
      process.kill(pid, 0);
      if (await isZombie(pid)) return true;
    }
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
    throw new StartFault('NO_PERMISSION', `The PostgreSQL of an earlier run (process ${pid}) belongs to another user. Stop it as that user, then start again.`, { cause: error });
  }
}

/** In a container whose first process doesn't reap, the dead stay visible. */
async function isZombie(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.startsWith('Z', stat.lastIndexOf(')') + 2);
}

/** By its command line, which even the root of a container may read of another user's process; we start it with `-D <folder>`. */
async function servesFolder(pid: number, dataFolder: string): Promise<boolean> {
  if (process.platform === 'linux') {
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    return args.some((arg, at) => arg === '-D' && args[at + 1] === dataFolder);
  }
  const { stdout } = await run('ps', ['-ww', '-o', 'args=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
  return stdout.includes(`-D ${dataFolder} `);
}

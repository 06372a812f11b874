import { readdir, readFile, readlink, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { residentMiB } from '#test/bench/process-usage.js';

/** What a process holds while it has nothing to do. */
export interface Holding {
  /** Bytes that live on after garbage collection, buffers included. */
  liveBytes: number;
  residentMiB: number;
  /** Open sockets to PostgreSQL, and all others (those that are listened on, callers' and servers'). */
  databaseSockets: number;
  otherSockets: number;
}

/** By then keep-alive has ended what nobody uses. */
const SETTLE_MS = 40_000;
const STEADY_MS = 5_000;
const LOOK_MS = 250;

/** A process that was started with {@link SETTLE_PRELOAD}, seen from outside. Linux only: it reads `/proc`. */
export class Observed {
  constructor(readonly pid: number, private readonly databasePort: number, private readonly memoryFile: string) {}

  /** Waits until the number of sockets has been the same for five seconds (or no longer than keep-alive can explain), and looks. */
  async atRest(): Promise<Holding> {
    let [before, since] = [await this.sockets(), Date.now()];
    for (const until = Date.now() + SETTLE_MS; Date.now() < until && Date.now() - since < STEADY_MS; await sleep(LOOK_MS)) {
      const now = await this.sockets();
      if (now.other !== before.other) [before, since] = [now, Date.now()];
    }
    const { database, other } = await this.sockets();
    return { liveBytes: await this.#live(), residentMiB: await residentMiB(this.pid), databaseSockets: database, otherSockets: other };
  }

  /** Open sockets now. */
  async sockets(): Promise<{ database: number; other: number }> {
    const inodes = new Set<string>();
    for (const fd of await readdir(`/proc/${this.pid}/fd`)) {
      // It may have been closed meanwhile.
      const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${this.pid}/fd/${fd}`).catch(() => ''))?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
    const remote = this.databasePort.toString(16).toUpperCase().padStart(4, '0');
    // https://docs.kernel.org/networking/proc_net_tcp.html
    const table = (await readFile(`/proc/${this.pid}/net/tcp`, 'utf8')).split('\n').slice(1).map((line) => line.trim().split(/\s+/));
    const database = table.filter((columns) => columns[2]?.endsWith(`:${remote}`) && inodes.has(columns[9]!)).length;
    return { database, other: inodes.size - database };
  }

  async #live(): Promise<number> {
    await rm(this.memoryFile, { force: true });
    process.kill(this.pid, 'SIGUSR2');
    for (let looks = 0; looks < 200; looks += 1) {
      const text = await readFile(this.memoryFile, 'utf8').catch(() => '');
      if (text.endsWith('\n')) return Number(text);
      await sleep(50);
    }
    throw new Error('the API did not say how much memory it uses');
  }
}

/** What {@link Observed} needs in the process: give it to `node --import`, with `SOAK_MEMORY_FILE` in the environment. */
export const SETTLE_PRELOAD = new URL('./settle-preload.js', import.meta.url).href;

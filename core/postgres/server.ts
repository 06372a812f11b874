import { spawn, type ChildProcess } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from './account.js';
import type { PostgresBinaries } from './binaries.js';
import { readPostmaster } from './leftover.js';
import { StartFault } from './start-fault.js';

/** What a server process is started with. */
export interface ServerOptions {
  dataFolder: string;
  logFile: string;
  binaries: PostgresBinaries;
  account: Account;
  durable: boolean;
}

/** One running `postgres`, our child. */
export class PostgresServer {
  private constructor(readonly port: number, private readonly child: ChildProcess, private readonly ended: Promise<void>) {}

  /**
   * Starts `postgres` on a free port of 127.0.0.1 and returns when it takes connections.
   * It has a session of its own: Ctrl-C in a terminal must reach it through us, after those who use it.
   * @throws StartFault `FAILED` with the end of its log
   */
  static async start(options: ServerOptions): Promise<PostgresServer> {
    const port = await freePort();
    const log = await open(options.logFile, 'w', 0o600);
    let child: ChildProcess;
    try {
      const command = [...options.account.prefix, options.binaries.postgres, '-D', options.dataFolder, ...settings(port, options.durable)];
      child = spawn(command[0]!, command.slice(1), {
        cwd: options.dataFolder, env: options.binaries.env, detached: true, stdio: ['ignore', log.fd, log.fd],
      });
    } finally {
      await log.close();
    }
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    const server = new PostgresServer(port, child, ended);
    await server.untilReady(options);
    return server;
  }

  /** Settles when the process is gone, whoever ended it. */
  async whenEnded(): Promise<void> {
    await this.ended;
  }

  /** Fast shutdown: open transactions are rolled back, everything is on disk when this returns. Harder means after 10 seconds each. */
  async stop(): Promise<void> {
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) return;
      this.child.kill(signal);
      const timer = new AbortController();
      const ended = await Promise.race([this.ended.then(() => true), sleep(STOP_WAIT_MS, false, { signal: timer.signal }).catch(() => false)]);
      timer.abort();
      if (ended) return;
    }
  }

  private async untilReady(options: ServerOptions): Promise<void> {
    let over = false;
    void this.ended.then(() => { over = true; });
    for (const end = performance.now() + START_WAIT_MS; performance.now() < end; await sleep(10)) {
      if (over) break;
      const postmaster = await readPostmaster(options.dataFolder);
      if (postmaster?.pid === this.child.pid && postmaster?.ready) return;
    }
    await this.stop();
    const tail = (await readFile(options.logFile, 'utf8').catch(() => '')).trim().split('\n').slice(-8).join('\n');
    throw new StartFault('FAILED', `PostgreSQL ${over ? 'ended while it started' : 'was not ready in time'}; the end of ${options.logFile}:\n${tail}`);
  }
}

const STOP_WAIT_MS = 10_000;
/** Recovery after a crash may take its time; what is done is kept, so that trying again is never in vain. */
const START_WAIT_MS = 120_000;

function settings(port: number, durable: boolean): string[] {
  const values: Record<string, string | number> = {
    listen_addresses: '127.0.0.1', port, unix_socket_directories: '', timezone: 'UTC', log_timezone: 'UTC', wal_level: 'minimal', max_wal_senders: 0,
    // Failed statements are the client's to report; here their text and values would be a copy of what may be secret.
    log_min_messages: 'log', log_min_error_statement: 'panic', log_error_verbosity: 'terse', log_checkpoints: 'off',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new StartFault('FAILED', 'No port is free on 127.0.0.1.');
  return address.port;
}

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cpuMicros, residentMiB } from './process-usage.js';

const COMMAND = fileURLToPath(new URL('../../../bin/fairlead.js', import.meta.url));
const START_TIMEOUT_MS = 60_000;

/** The API as shipped: `fairlead dev` on a state directory, with its embedded PostgreSQL. */
export class ApiProcess {
  private constructor(private readonly child: ChildProcess, readonly url: string, private readonly directory: string) {}

  /** Starts it, and waits until it is ready. `nodeOptions` are for Node itself: to make a profile. `settings` are further ones of Fairlead. */
  static async start(directory: string, nodeOptions: string[] = [], settings: Record<string, string> = {}): Promise<ApiProcess> {
    const log = join(directory, `api-${Date.now()}.log`);
    const output = openSync(log, 'a');
    const { PATH = '' } = process.env;
    const child = spawn(process.execPath, [...nodeOptions, COMMAND, 'dev'], {
      env: { PATH, HOME: directory, PORT: '0', FAIRLEAD_STATE_DIR: join(directory, 'state'), ...settings }, stdio: ['ignore', output, output],
    });
    closeSync(output);
    // However this process ends, the API doesn't outlive it.
    const kill = (): void => void child.kill('SIGTERM');
    process.once('exit', kill);
    child.once('exit', () => process.removeListener('exit', kill));
    for (const until = performance.now() + START_TIMEOUT_MS; performance.now() < until && child.exitCode === null; await sleep(50)) {
      const url = /^Fairlead is ready at (\S+)$/m.exec(await readFile(log, 'utf8'))?.[1];
      if (url !== undefined) return new ApiProcess(child, url, directory);
    }
    child.kill('SIGKILL');
    throw new Error(`the API did not start:\n${await readFile(log, 'utf8')}`);
  }

  /** The local administrator's token. */
  async adminToken(): Promise<string> {
    return (await readFile(join(this.directory, 'state', 'admin-token'), 'utf8')).trim();
  }

  /** Resident memory in MiB: of this process alone, without PostgreSQL's. */
  residentMiB(): Promise<number> {
    return residentMiB(this.child.pid!);
  }

  /** Processor time that it has taken, in microseconds; NaN where the system doesn't say so exactly. */
  cpuMicros(): Promise<number> {
    return cpuMicros(this.child.pid!);
  }

  /** Stops it as an operator would, and waits. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exited;
  }
}

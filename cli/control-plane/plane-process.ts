import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { StartFault } from '#core/postgres/start-fault.js';

/** One process of a control plane. It ends with us: its standard input is a pipe of ours. */
export class PlaneProcess {
  readonly #child: ChildProcess;
  readonly #listeners = new Set<(line: string) => void>();
  /** Settles when it is gone. */
  readonly ended: Promise<void>;
  #gone = false;

  constructor(private readonly name: string, binary: string, args: readonly string[], private readonly logFile: string) {
    const log = openSync(logFile, 'a', 0o600);
    // Not of our process group: Ctrl-C in a terminal goes to all of that, and we have a Lease to let go of first.
    this.#child = spawn(binary, args, { stdio: ['pipe', 'pipe', log], detached: true });
    closeSync(log);
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      for (const listener of this.#listeners) listener(line);
    });
    // A broken pipe is known by the end of the process.
    this.#child.stdin!.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#gone = true;
        resolve();
      };
      this.#child.once('error', end);
      this.#child.once('exit', end);
    });
  }

  /** The next line of stdout for which `pick` answers something. Throws StartFault with the end of the log when the process ends before. */
  async hear<T>(pick: (line: string) => T | undefined): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const listener = (line: string): void => {
      const picked = pick(line);
      if (picked !== undefined) resolve(picked);
    };
    this.#listeners.add(listener);
    try {
      return await Promise.race([promise, this.ended.then(() => this.#fail())]);
    } finally {
      this.#listeners.delete(listener);
    }
  }

  /** Throws StartFault if it has ended. */
  async mustRun(): Promise<void> {
    if (this.#gone) await this.#fail();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends a signal that ends it, and waits until it has. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.#gone) this.#child.kill(signal);
    await this.ended;
  }

  async #fail(): Promise<never> {
    const log = await readFile(this.logFile, 'utf8').catch(() => '');
    throw new StartFault('FAILED', `${this.name} ended by itself. The end of ${this.logFile}:\n${log.trimEnd().split('\n').slice(-8).join('\n')}`);
  }
}

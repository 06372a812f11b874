import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startChild, type Child } from '#test/support/child.js';

const DOOR = fileURLToPath(new URL('../../../bin/fairlead.js', import.meta.url));

/** A `fairlead api` or `fairlead operator` as shipped, that is killed, paused and started again. */
export class FleetProcess {
  #child: Child | null = null;
  /** Log lines of errors of all its lives; the first of each message. */
  readonly errors = new Map<string, string>();

  constructor(readonly name: string, private readonly command: 'api' | 'operator', private readonly env: Readonly<Record<string, string>>) {}

  /** Of its present life. */
  get pid(): number {
    return this.#child!.pid;
  }

  /** Resolves when it works. */
  async start(): Promise<void> {
    const child = startChild([process.execPath, DOOR, this.command], { env: { PATH: process.env['PATH'], ...this.env } });
    this.#child = child;
    // However this program ends, its fleet doesn't outlive it.
    const kill = (): void => void child.process.kill('SIGKILL');
    process.once('exit', kill);
    void child.ended.finally(() => {
      process.removeListener('exit', kill);
      this.#keepErrors([...child.output, ...child.errors]);
    });
    await child.line(/^(Fairlead is ready at|The operator works)/);
  }

  /** Like a power cut: `kill -9`. */
  async kill(): Promise<void> {
    this.#child!.process.kill('SIGKILL');
    await this.#child!.ended;
  }

  pause(): void {
    this.#child!.process.kill('SIGSTOP');
  }

  resume(): void {
    this.#child!.process.kill('SIGCONT');
  }

  /** As an administrator would. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null || child.process.exitCode !== null || child.process.signalCode !== null) return;
    const exited = once(child.process, 'exit');
    child.process.kill('SIGCONT');
    child.process.kill('SIGTERM');
    await exited;
    await child.ended;
  }

  #keepErrors(lines: string[]): void {
    for (const line of lines.filter((one) => !one.startsWith('{') || Number(/"level":(\d+)/.exec(one)?.[1]) >= 50)) {
      const message = /"msg":"([^"]*)"/.exec(line)?.[1] ?? line;
      if (!/^(Fairlead is ready at|The operator works)/.test(line) && !this.errors.has(message)) this.errors.set(message, line);
    }
  }
}

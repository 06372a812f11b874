import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { startChild, type Child } from '#test/support/child.js';
import { cpuMicros, peakMiB, residentMiB } from '../process-usage.js';

const DOOR = fileURLToPath(new URL('../../../../bin/fairlead.js', import.meta.url));

/** A `fairlead api` or `fairlead operator` as shipped. */
export class Served {
  private constructor(private readonly child: Child, readonly url: string, private readonly metricsUrl: string) {}

  /** Resolves when it works, an API on this port. `nodeOptions` are for Node itself: to make a profile. */
  static async start(command: 'api' | 'operator', env: Readonly<Record<string, string>>, [port, metricsPort]: [number, number], nodeOptions: string[] = []): Promise<Served> {
    const child = startChild([process.execPath, ...nodeOptions, DOOR, command], { env: { PATH: process.env['PATH'], ...env, PORT: String(port), FAIRLEAD_METRICS_PORT: String(metricsPort) } });
    const kill = (): void => void child.process.kill('SIGKILL');
    process.once('exit', kill);
    void child.ended.finally(() => process.removeListener('exit', kill));
    await child.line(/^(Fairlead is ready at|The operator works)/);
    return new Served(child, `http://127.0.0.1:${port}`, `http://127.0.0.1:${metricsPort}/metrics`);
  }

  async metrics(): Promise<string> {
    return (await fetch(this.metricsUrl)).text();
  }

  residentMiB(): Promise<number> {
    return residentMiB(this.child.pid);
  }

  /** The most that it has had so far. */
  peakMiB(): Promise<number> {
    return peakMiB(this.child.pid);
  }

  cpuMicros(): Promise<number> {
    return cpuMicros(this.child.pid);
  }

  /** Lines of its log at the level of errors, and what else it said on its error stream. */
  get errors(): string[] {
    return [...this.child.output.filter((line) => Number(/"level":(\d+)/.exec(line)?.[1]) >= 50), ...this.child.errors.filter((line) => !/warn|Debugger|trace-/i.test(line))];
  }

  /** All that it has said. */
  get said(): string {
    return [...this.child.output, ...this.child.errors].join('\n');
  }

  /** The first line that it says, or has said, that matches. */
  line(pattern: RegExp): Promise<string> {
    return this.child.line(pattern);
  }

  async stop(): Promise<void> {
    const { process: child } = this.child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
    await this.child.ended;
  }
}

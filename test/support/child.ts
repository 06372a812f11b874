import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A program that a test started, with what it has said so far. */
export interface Child {
  process: ChildProcess;
  pid: number;
  output: string[];
  errors: string[];
  /** The first line of stdout, past or future, that matches; throws with everything that was said if the program ends before. */
  line(pattern: RegExp): Promise<string>;
  /** Settles with exit code and signal when the program has ended and its pipes are closed. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts a program with pipes on stdout and stderr. */
export function startChild(command: string[], options: SpawnOptions = {}): Child {
  const child = spawn(command[0]!, command.slice(1), { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const output: string[] = [];
  const errors: string[] = [];
  const stdout = createInterface({ input: child.stdout! });
  stdout.on('line', (line) => output.push(line));
  createInterface({ input: child.stderr! }).on('line', (line) => errors.push(line));
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  return {
    process: child, pid: child.pid ?? -1, output, errors, ended,
    line(pattern) {
      const past = output.find((line) => pattern.test(line));
      if (past !== undefined) return Promise.resolve(past);
      return new Promise((resolve, reject) => {
        stdout.on('line', (line) => { if (pattern.test(line)) resolve(line); });
        ended.then(() => reject(new Error(`${command.join(' ')} ended without ${pattern}:\n${[...output, ...errors].join('\n')}`)), reject);
      });
    },
  };
}

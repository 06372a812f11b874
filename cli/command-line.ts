import { CommanderError } from 'commander';
import { loadConfig, type Config } from '#core/config/config.js';
import type { Mode } from '#core/config/keys.js';
import { createLogger } from '#core/log.js';
import { runApi } from './api.js';
import { runDev } from './dev.js';
import { failureOf } from './failure.js';
import { generateKey, listKeys } from './keys.js';
import { runMigrate } from './migrate.js';
import { runProbe } from './probe.js';
import { createProgram, type Settings } from './program.js';
import type { ServingTools, StartApi } from './serving.js';

/** What the command line works with. */
export interface World {
  env: Readonly<Record<string, string | undefined>>;
  startApi: StartApi;
  /** Called once by the commands that serve; the signal is aborted when it's time to stop. */
  listenForStop: () => AbortSignal;
  out: NodeJS.WritableStream;
  err: NodeJS.WritableStream;
  now: () => Date;
}

/**
 * Runs one command. Faults are printed to `err`, never thrown.
 * @param args without node and script
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage or configuration
 */
export async function runCommandLine(args: readonly string[], world: World): Promise<number> {
  const { env, out, err, now } = world;
  const print = (line: string) => void out.write(`${line}\n`);
  const configOf = (mode: Mode, given: Settings = {}) => loadConfig({ ...env, ...given }, mode);
  const stopping = new AbortController();
  const serving = (config: Config, log: NodeJS.WritableStream): ServingTools => {
    const stop = world.listenForStop();
    stop.addEventListener('abort', () => stopping.abort(), { once: true });
    return { startApi: world.startApi, logger: createLogger(config.logLevel, log), print, stop, now };
  };
  let exitCode = 0;
  const program = createProgram({
    dev: async (settings) => {
      const config = configOf('dev', settings);
      // The log goes to stderr here: stdout says only what a person at a terminal, or a script that waits for the URL, wants to read.
      await runDev(config, serving(config, err));
    },
    api: async (settings) => {
      const config = configOf('api', settings);
      await runApi(config, serving(config, out));
    },
    migrate: (settings) => runMigrate(configOf('migrate', settings), print),
    probe: async (url, options, settings) => {
      exitCode = await runProbe(configOf('probe', settings), url, options, print) ? 0 : 1;
    },
    generateKey: () => generateKey(print, now),
    listKeys: (settings) => listKeys(configOf('keys', settings), print),
  }, { out: (text) => void out.write(text), err: (text) => void err.write(text) });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed its own.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    // Ctrl-C ends programs that we wait for, too.
    if (stopping.signal.aborted && failureOf(error).expected) return 1;
    err.write(`${failureOf(error).message}\n`);
    return failureOf(error).exitCode;
  }
}

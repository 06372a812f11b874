import { CommanderError } from 'commander';
import { loadConfig, type Config } from '#core/config/config.js';
import type { Mode } from '#core/config/keys.js';
import { createLogger } from '#core/log.js';
import { failureOf } from './failure.js';
import { retireKey, rotateKeys, showKeyStatus } from './key-rotation.js';
import { generateKey, listKeys } from './keys.js';
import { createProgram, type Settings } from './program.js';
import type { ServingTools, StartApi, StartOperator } from './serving.js';

/** What the command line works with. */
export interface World {
  env: Readonly<Record<string, string | undefined>>;
  startApi: StartApi;
  startOperator: StartOperator;
  /** Called once by the commands that serve; the signal is aborted when it's time to stop. */
  listenForStop: () => AbortSignal;
  out: NodeJS.WritableStream;
  err: NodeJS.WritableStream;
  now: () => Date;
}

/**
 * Runs one command. Each loads its own code only: `fairlead keys` need not wait for the database's libraries. Faults are printed to `err`, never thrown.
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
    return { startApi: world.startApi, startOperator: world.startOperator, logger: createLogger(config.logLevel, log), print, stop, now };
  };
  const keyOutput = { print, tell: (line: string) => void err.write(`${line}\n`) };
  let exitCode = 0;
  const program = createProgram({
    dev: async (settings, { kubernetes }) => {
      const config = configOf('dev', settings);
      // The log goes to stderr here: stdout says only what a person at a terminal, or a script that waits for the URL, wants to read.
      const { kubernetesSettings, runDev } = await import('./dev.js');
      if (!kubernetes) return void (await runDev(config, serving(config, err)));
      await runDev(configOf('dev', { ...settings, ...kubernetesSettings(config) }), serving(config, err), { env });
    },
    api: async (settings) => {
      const config = configOf('api', settings);
      const { runApi } = await import('./api.js');
      await runApi(config, serving(config, out));
    },
    operator: async (settings) => {
      const config = configOf('operator', settings);
      const { runOperator } = await import('./operator.js');
      await runOperator(config, serving(config, out));
    },
    migrate: async (settings) => {
      const config = configOf('migrate', settings);
      const { runMigrate } = await import('./migrate.js');
      await runMigrate(config, print);
    },
    probe: async (url, options, settings) => {
      const config = configOf('probe', settings);
      const { runProbe } = await import('./probe.js');
      exitCode = await runProbe(config, url, options, print) ? 0 : 1;
    },
    generateKey: () => generateKey(print, now),
    listKeys: (settings) => listKeys(configOf('keys', settings), print),
    keyStatus: (settings) => showKeyStatus(configOf('keys', settings), keyOutput),
    rotateKeys: (settings) => rotateKeys(configOf('keys', settings), keyOutput, now),
    releaseManifests: async (settings) => {
      // Said for the whole command: whoever has the mirror switched off releases what it left behind.
      const config = configOf('mirror', { ...settings, FAIRLEAD_MIRROR: 'on' });
      const stop = world.listenForStop();
      const { runMirrorRelease } = await import('./mirror-release.js');
      await runMirrorRelease(config, print, stop);
    },
    retireKey: (id, settings) => retireKey(configOf('keys', settings), id, keyOutput),
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

import { runCommandLine } from './command-line.js';
import { stopSignals } from './stop-signals.js';
import { version } from './version.js';

// The composition root of the command line; bin/fairlead.js imports it.
process.exit(await runCommandLine(process.argv.slice(2), {
  env: process.env,
  // Loaded when it is needed: `keys` and `probe` answer at once.
  startApi: async (config, resources) => (await import('#api/start-api.js')).startApi(config, { ...resources, version: version() }),
  listenForStop: () => stopSignals(process, () => performance.now(), (exitCode) => process.exit(exitCode)),
  out: process.stdout,
  err: process.stderr,
  now: () => new Date(),
}));

import { runCommandLine } from './command-line.js';
import { stopSignals } from './stop-signals.js';
import { version } from './version.js';

// The composition root of the command line; bin/fairlead.js imports it.
process.exit(await runCommandLine(process.argv.slice(2), {
  env: process.env,
  // Loaded when it is needed: `keys` and `probe` answer at once.
  startApi: async (config, resources) => (await import('#api/start-api.js')).startApi(config, { ...resources, version: version() }),
  startOperator: async (config, resources) => (await import('#operator/start-operator.js')).startOperator(config, { ...resources, version: version() }),
  // Under npm our parent is npm, or the shell between: it waits for us for as long as it lives.
  listenForStop: () => stopSignals(process, () => performance.now(), (exitCode) => process.exit(exitCode), process.env.npm_lifecycle_event === undefined ? undefined : () => process.ppid),
  out: process.stdout,
  err: process.stderr,
  now: () => new Date(),
}));

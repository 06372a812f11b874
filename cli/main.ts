import { InvariantBroken } from '#core/errors.js';
import { runCommandLine } from './command-line.js';
import type { StartApi } from './serving.js';
import { stopSignals } from './stop-signals.js';

// The composition root of the command line; bin/fairlead.js imports it.
const startApi: StartApi = () => Promise.reject(new InvariantBroken('the API is composed by api/'));

process.exit(await runCommandLine(process.argv.slice(2), {
  env: process.env,
  startApi,
  listenForStop: () => stopSignals(process, () => performance.now(), (exitCode) => process.exit(exitCode)),
  out: process.stdout,
  err: process.stderr,
  now: () => new Date(),
}));

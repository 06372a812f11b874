import { dropDatabasesOfRun } from './database.js';
import { runState } from './global-setup.js';

/** Runs once after all tests: stops our server, or drops what this run made on the server that was given. */
export default async function globalTeardown(): Promise<void> {
  if (runState.fairleadTestServer === undefined) await dropDatabasesOfRun();
  else await runState.fairleadTestServer.stop();
}

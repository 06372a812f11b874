import { rm } from 'node:fs/promises';
import { dropDatabasesOfRun } from './database.js';
import { runState } from './global-setup.js';

/** Runs once after all tests: stops our server, or drops what this run made on the server that was given. A build that no test waited for is left off; what it compiled stays in Go's cache. */
export default async function globalTeardown(): Promise<void> {
  runState.fairleadBuild?.abort();
  await runState.fairleadBuild?.ended;
  if (runState.fairleadFolder !== undefined) await rm(runState.fairleadFolder, { recursive: true, force: true });
  if (runState.fairleadTestServer === undefined) await dropDatabasesOfRun();
  else await runState.fairleadTestServer.stop();
}

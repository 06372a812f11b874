import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { startTestServer, type TestServer } from './test-server.js';

/** What the setup leaves for the teardown, which jest runs in the same process. */
export const runState = globalThis as { fairleadTestServer?: TestServer };

/** Runs once before all tests: starts their PostgreSQL, unless `TEST_DATABASE_URL` names a server where databases may be created and dropped. */
export default async function globalSetup(config: { rootDir: string }): Promise<void> {
  process.env['TEST_RUN'] = `fairlead_test_${randomBytes(4).toString('hex')}`;
  const given = process.env['TEST_DATABASE_URL'];
  if (given === undefined) runState.fairleadTestServer = await startTestServer(join(config.rootDir, 'node_modules', '.cache', 'fairlead'));
  process.env['TEST_SERVER_URL'] = given ?? runState.fairleadTestServer!.url;
}

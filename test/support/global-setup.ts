import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { chooseControlPlane, CONTROL_PLANE_PROGRAM, controlPlaneCache } from '#cli/control-plane/control-plane.js';
import { buildGoProgram } from '#cli/control-plane/go-program.js';
import { CHOICE_VARIABLE } from './control-plane/needs.js';
import { startTestServer, type TestServer } from './test-server.js';

/** What the setup leaves for the teardown, which jest runs in the same process. */
export const runState = globalThis as { fairleadTestServer?: TestServer; fairleadBuild?: { abort(): void; ended: Promise<void> } };

/** Runs once before all tests: starts their PostgreSQL, unless `TEST_DATABASE_URL` names a server where databases may be created and dropped; begins to build the control plane. */
export default async function globalSetup(config: { rootDir: string }): Promise<void> {
  process.env['TEST_RUN'] = `fairlead_test_${randomBytes(4).toString('hex')}`;
  const given = process.env['TEST_DATABASE_URL'];
  if (given === undefined) runState.fairleadTestServer = await startTestServer(join(config.rootDir, 'node_modules', '.cache', 'fairlead'));
  process.env['TEST_SERVER_URL'] = given ?? runState.fairleadTestServer!.url;
  await beginControlPlane();
}

/** Nobody waits for the build here: the files that need it find it, or wait for it, while all others run. */
async function beginControlPlane(): Promise<void> {
  const choice = await chooseControlPlane(process.env);
  process.env[CHOICE_VARIABLE] = choice.kind;
  if (choice.kind !== 'library') return;
  const stopping = new AbortController();
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const ended = buildGoProgram(CONTROL_PLANE_PROGRAM, { cacheFolder: controlPlaneCache(process.env), say, now: () => new Date(), signal: stopping.signal }).then(
    () => undefined,
    (error: unknown) => { if (!stopping.signal.aborted) say(String(error)); },
  );
  runState.fairleadBuild = { abort: () => stopping.abort(), ended };
}

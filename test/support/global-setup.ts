import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseControlPlane, CONTROL_PLANE_PROGRAM, controlPlaneCache } from '#cli/control-plane/control-plane.js';
import { buildGoProgram, goVersion } from '#cli/control-plane/go-program.js';
import { CHART_TOOLS_PROGRAM, HELM_PROGRAM } from './chart/tools.js';
import { CHOICE_VARIABLE, GO_VARIABLE } from './control-plane/needs.js';
import { REQUESTS_VARIABLE } from './control-plane/operator-requests.js';
import { startTestServer, type TestServer } from './test-server.js';

/** What the setup leaves for the teardown, which jest runs in the same process. */
export const runState = globalThis as { fairleadTestServer?: TestServer; fairleadBuild?: { abort(): void; ended: Promise<void> }; fairleadFolder?: string };

/** Runs once before all tests: starts their PostgreSQL, unless `TEST_DATABASE_URL` names a server where databases may be created and dropped; begins to build the control plane and what checks the chart. */
export default async function globalSetup(config: { rootDir: string }): Promise<void> {
  process.env['TEST_RUN'] = `fairlead_test_${randomBytes(4).toString('hex')}`;
  const given = process.env['TEST_DATABASE_URL'];
  if (given === undefined) runState.fairleadTestServer = await startTestServer(join(config.rootDir, 'node_modules', '.cache', 'fairlead'));
  process.env['TEST_SERVER_URL'] = given ?? runState.fairleadTestServer!.url;
  runState.fairleadFolder = await mkdtemp(join(tmpdir(), 'fairlead-run-'));
  process.env[REQUESTS_VARIABLE] = join(runState.fairleadFolder, 'operator-requests');
  await beginGoPrograms();
}

/** Nobody waits for the builds here: the files that need one find it, or wait for it, while all others run. One after the other, since they have most packages in common. */
async function beginGoPrograms(): Promise<void> {
  const choice = await chooseControlPlane(process.env);
  process.env[CHOICE_VARIABLE] = choice.kind;
  if (await goVersion() === null) return;
  process.env[GO_VARIABLE] = 'yes';
  const stopping = new AbortController();
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const build = async (): Promise<void> => {
    for (const program of [...(choice.kind === 'library' ? [CONTROL_PLANE_PROGRAM] : []), HELM_PROGRAM, CHART_TOOLS_PROGRAM]) {
      await buildGoProgram(program, { cacheFolder: controlPlaneCache(process.env), say, now: () => new Date(), signal: stopping.signal });
    }
  };
  const ended = build().catch((error: unknown) => { if (!stopping.signal.aborted) say(String(error)); });
  runState.fairleadBuild = { abort: () => stopping.abort(), ended };
}

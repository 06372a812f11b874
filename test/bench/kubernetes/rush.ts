import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MIRRORED_KINDS } from '#operator/manifest/resources.js';
import type { LoggedRequest } from '#test/support/control-plane/request-log.js';
import { ChildProgram } from '../child-program.js';
import { readProfile, type TimeSpent } from '../cpu-profile.js';
import { Ground } from '../operator/ground.js';
import type { Served } from '../operator/served.js';
import { BenchCluster } from './cluster.js';
import { GraphqlReader } from './graphql-reader.js';
import { makePairs, manifestsOf, secretsOf, shuffled, type Pair } from './manifests.js';
import type { McpServersAnswers } from './mcp-servers.js';
import type { Plan } from './plan.js';
import { spentBy, type Spent } from './requests.js';
import { wrongOf } from './wrongs.js';

/** What measuring gave. Seconds are since the first manifest was sent. */
export interface RushResult {
  pairs: number;
  appliedAfter: number;
  readyByKubectlAfter: number;
  readyByGraphqlAfter: number;
  /** From the first manifest until everything was Ready and nothing was due. */
  toReady: Spent;
  /** After that, for so many seconds. */
  steady: Spent;
  steadySeconds: number;
  /** Of an operator that was started on what is there. */
  restart: Spent;
  restartSeconds: number;
  /** Processor time of the operator until Ready, in seconds. */
  cpuSeconds: number;
  /** The most that an operator had, in MiB. */
  peakMiB: number;
  profile: TimeSpent | null;
  wrongs: string[];
}

/** Applies everything at once, and watches the operator bring it to Ready, do nothing, and do nothing after a restart. */
export async function measureRush(plan: Plan, progress: (text: string) => void): Promise<RushResult> {
  const ground = await Ground.prepare();
  const servers = ChildProgram.start<McpServersAnswers>('mcp-servers', import.meta.url);
  progress('starting a control plane');
  const cluster = await BenchCluster.start().catch(async (error: unknown) => {
    await Promise.all([ground.clear(), servers.stop()]);
    throw error;
  });
  const requests = new RequestWindow(() => cluster.plane.requests());
  try {
    const pairs = makePairs(plan.pairs);
    const urls = await servers.ask('start', pairs.map(({ token }) => token));
    await cluster.apply(secretsOf(pairs));
    const api = await ground.start('api');
    const operator = await startOperator(ground, cluster, plan.profile);
    await sleep(1000);

    requests.begin();
    const cpuBefore = await operator.cpuMicros();
    const from = micros();
    const { appliedAfter, readyByKubectlAfter, readyByGraphqlAfter, reader } = await rush(ground, cluster, pairs, urls, api.url, progress);
    const window = { from, to: micros() };
    const cpuSeconds = (await operator.cpuMicros() - cpuBefore) / 1e6;
    await settled(ground, 'ALL');
    const toReady = requests.end();

    progress(`watching that nothing happens for ${plan.steadySeconds} s`);
    const calm = await versions(cluster);
    requests.begin();
    await sleep(plan.steadySeconds * 1000);
    const steady = requests.end();

    progress('starting the operator anew');
    const view = await reader.view();
    const before = await versions(cluster);
    const stirred = changes(calm, before);
    const firstPeak = await operator.peakMiB();
    await operator.stop();
    requests.begin();
    const restarted = performance.now();
    const second = await startOperator(ground, cluster, false);
    await settled(ground, 'MIRROR');
    const restartSeconds = (performance.now() - restarted) / 1000;
    const restart = requests.end();
    const peakMiB = Math.max(firstPeak, await second.peakMiB());
    const moved = changes(before, await versions(cluster));

    const errors = await ground.stopServed();
    const wrongs = [...errors, ...await wrongOf({ ground, cluster, pairs, view, seen: await servers.ask('seen', undefined as never), steady, stirred, restart, moved, said: ground.said() })];
    const profile = plan.profile ? readProfile(join(ground.directory, 'operator.cpuprofile'), window) : null;
    return { pairs: plan.pairs, appliedAfter, readyByKubectlAfter, readyByGraphqlAfter, toReady, steady, steadySeconds: plan.steadySeconds, restart, restartSeconds, cpuSeconds, peakMiB, profile, wrongs };
  } finally {
    await ground.clear();
    await cluster.stop();
    await servers.stop();
  }
}

/** Resolves when it leads and has looked at everything that is there. */
async function startOperator(ground: Ground, cluster: BenchCluster, profile: boolean): Promise<Served> {
  const options = profile ? ['--cpu-prof', '--cpu-prof-interval=400', `--cpu-prof-dir=${ground.directory}`, '--cpu-prof-name=operator.cpuprofile'] : [];
  const operator = await ground.start('operator', options, { FAIRLEAD_MIRROR: 'on', FAIRLEAD_KUBECONFIG: cluster.plane.kubeconfig('operator'), FAIRLEAD_LOG_LEVEL: 'info' });
  await operator.line(/the mirror begins/);
  return operator;
}

/** From the first manifest until everything is Ready by both doors. */
async function rush(ground: Ground, cluster: BenchCluster, pairs: readonly Pair[], urls: readonly string[], apiUrl: string, progress: (text: string) => void) {
  const began = performance.now();
  const since = (): number => (performance.now() - began) / 1000;
  const ready = cluster.ready(pairs.length, (count) => progress(`${count} of ${pairs.length * MIRRORED_KINDS.length} objects are Ready`));
  await cluster.apply(shuffled(pairs.flatMap((pair, index) => manifestsOf(pair, urls[index]!))));
  const appliedAfter = since();
  await ready;
  for (const kind of MIRRORED_KINDS) while ((await cluster.readyByKubectl(kind)).length < pairs.length) await sleep(100);
  const readyByKubectlAfter = since();
  const reader = await GraphqlReader.open(apiUrl, ground.databaseUrl);
  await reader.ready();
  return { appliedAfter, readyByKubectlAfter, readyByGraphqlAfter: since(), reader };
}

/** When everything that is due has been done, of the mirror or of all: what a look at a server finds is told by the mirror after it. */
async function settled(ground: Ground, what: 'MIRROR' | 'ALL'): Promise<void> {
  const due = () => ground.query(`select 1 from reconcile_schedule where ${what === 'ALL' ? '' : `kind in ('MirrorObject', 'MirrorNamespace') and `}(worker is not null or due <= clock_timestamp()) limit 1`);
  while ((await due()).length > 0) await sleep(50);
}

/** Of the same objects, at two times. */
function changes(before: readonly string[], after: readonly string[]): string[] {
  return after.flatMap((version, index) => (version === before[index] ? [] : [`${before[index]} → ${version}`]));
}

async function versions(cluster: BenchCluster): Promise<string[]> {
  const lists = await Promise.all(MIRRORED_KINDS.map((kind) => cluster.list(kind)));
  return lists.flat().map(({ kind, metadata: { name, uid, resourceVersion }, status }) => `${kind} ${name} ${uid} ${resourceVersion} ${JSON.stringify(status?.['conditions'])}`);
}

/** The operator's requests of a stretch of time. */
class RequestWindow {
  #from = 0;

  constructor(private readonly read: () => LoggedRequest[]) {}

  begin(): void {
    this.#from = this.read().length;
  }

  end(): Spent {
    return spentBy(this.read().slice(this.#from));
  }
}

function micros(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

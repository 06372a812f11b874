import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiProcess } from './api-process.js';
import type { Bounds, Run } from './callers.js';
import { Catalog, TYPE_NAME } from './catalog.js';
import { ChildProgram } from './child-program.js';
import { contractDocument } from './contract-document.js';
import { wrongs, type Books } from './correctness.js';
import { readProfile, type TimeSpent } from './cpu-profile.js';
import type { DirectAnswers } from './direct.js';
import type { KeyedCall, LoadAnswers, Login } from './load.js';
import type { ServerAnswers } from './mcp-server.js';
import type { OverloadPlan, Plan } from './plan.js';
import { quantile, type Leg } from './statistics.js';

/** The ways of calling that are compared: the SDK's client, `callTool`, and `callTool` with an idempotency key. */
export const WAYS = ['direct', 'through', 'keyed'] as const;
export type Way = (typeof WAYS)[number];

/** The turns of one number of callers. */
export interface Comparisons {
  callers: number;
  turns: Record<Way, Leg[]>;
}

/** What a flood of calls does, in one round. */
export interface OverloadRound {
  /** Before it: as many callers as keep the process busy, each with one call at a time. */
  normal: Leg;
  /** Calls a second that came in. */
  rate: number;
  accepted: { perSecond: number; median: number; p99: number };
  refused: { perSecond: number; median: number; p99: number };
  /** Calls a second that weren't made, since their callers waited to be refused. */
  heldBack: number;
  /** Somebody else, who makes one call at a time meanwhile. */
  modest: { calls: number; refused: number; median: number };
  /** In the second after it, as before it. */
  after: Leg;
  sentLateMs: number;
}

/** Resident memory of the API process in MiB. */
export interface Memory {
  /** After all rounds, of the process that all their calls went through. */
  afterRounds: number;
  /** Of a process that has just started. */
  started: number;
  /** Of that process, when each of {@link Plan.sessions} enrollments was called once. */
  withSessions: number;
  sessions: number;
  /** What those calls took: each resolves its route, opens a session, and sends. */
  coldMs: { median: number; p99: number };
}

/** Where the time goes in the API process, by number of callers. */
export type Profile = { callers: number; spent: TimeSpent; calls: number; seconds: number }[];

/** Logins that the SDK's client and the load generator use for the comparison. */
const DIRECT_LOGIN = 'direct';
const PROFILE_MS = 4000;
/** By then the compiler has seen what it needs, on a machine that isn't busy otherwise. */
const SETTLED_AFTER_CALLS = 8000;

/** One run of the benchmark: processes, calls, and the books that are kept of them. */
export class Bench {
  readonly #document = contractDocument('CallTool');
  readonly #made = new Map<string, number>();
  readonly #answerFaults: Books['answerFaults'] = { count: 0, examples: [] };
  readonly #repetitionFaults: string[] = [];
  #madeThrough = 0;
  #distinctIds = 0;
  #keyed: KeyedCall[] = [];
  #login!: Login;

  private constructor(
    private readonly directory: string, private readonly server: ChildProgram<ServerAnswers>, private readonly serverUrl: string, private readonly direct: ChildProgram<DirectAnswers>,
    private readonly load: ChildProgram<LoadAnswers>, private api: ApiProcess, private catalog: Catalog,
  ) {}

  /** Starts every process, on a fresh state directory, and makes what is called. */
  static async start(): Promise<Bench> {
    const directory = await mkdtemp(join(tmpdir(), 'fairlead-bench-'));
    const [server, direct, load] = [ChildProgram.start<ServerAnswers>('mcp-server'), ChildProgram.start<DirectAnswers>('direct'), ChildProgram.start<LoadAnswers>('load')];
    const api = await ApiProcess.start(directory);
    const serverUrl = await server.ask('url', undefined as never);
    const bench = new Bench(directory, server, serverUrl, direct, load, api, new Catalog(api.url, await api.adminToken()));
    await bench.catalog.createType(serverUrl);
    [bench.#login] = await bench.catalog.enroll(1) as [Login];
    return bench;
  }

  /** Ends every process and removes the state directory. */
  async stop(): Promise<void> {
    await this.api.stop();
    await Promise.all([this.load.stop(), this.direct.stop(), this.server.stop()]);
    await rm(this.directory, { recursive: true, force: true });
  }

  /** All ways of calling take turns, side by side, for each number of callers. */
  async compare(plan: Plan, progress: (text: string) => void): Promise<Comparisons[]> {
    const { warmUpMs, turnMs: ms, maxCalls, rounds, settleMs } = plan;
    const most = Math.max(...plan.callers);
    if (settleMs > 0) for (const way of WAYS) await this.#turn(way, { callers: most, warmUpMs: settleMs, ms: 0, maxCalls: SETTLED_AFTER_CALLS });
    const all: Comparisons[] = [];
    for (const callers of plan.callers) {
      const turns: Comparisons['turns'] = { direct: [], through: [], keyed: [] };
      for (let round = 0; round < rounds; round++) {
        progress(`${callers} caller${callers === 1 ? '' : 's'}, round ${round + 1} of ${rounds}`);
        // To and fro, so that nobody always comes after the same one.
        for (const way of round % 2 === 0 ? WAYS : WAYS.toReversed()) turns[way].push(legOf(await this.#turn(way, { callers, warmUpMs, ms, maxCalls })));
      }
      all.push({ callers, turns });
    }
    this.#repetitionFaults.push(...await this.load.ask('repeat', { ...this.#target(), calls: this.#keyed }));
    return all;
  }

  /** Results of a mebibyte, one caller, side by side. */
  async large({ rounds, turnMs: ms, warmUpMs, maxCalls }: Plan): Promise<Record<'direct' | 'through', Leg[]>> {
    const turns: Record<'direct' | 'through', Leg[]> = { direct: [], through: [] };
    const bounds = { callers: 1, warmUpMs, ms, maxCalls, large: true };
    for (let round = 0; round < rounds; round++) {
      for (const way of round % 2 === 0 ? ['direct', 'through'] as const : ['through', 'direct'] as const) turns[way].push(legOf(await this.#turn(way, bounds)));
    }
    return turns;
  }

  /** Four times as many calls as the process can do, from callers who don't wait for each other, between normal times. */
  async overload({ rounds, callers, ms, maxCalls }: OverloadPlan, progress: (text: string) => void): Promise<OverloadRound[]> {
    const logins = await this.catalog.enroll(3);
    const [modest] = await this.catalog.enroll(1) as [Login];
    await this.#through([...logins, modest], { callers: 1, warmUpMs: 0, ms: 10_000, maxCalls: 8 }, false);
    const all: OverloadRound[] = [];
    for (let round = 0; round < rounds; round++) {
      progress(`a flood, round ${round + 1} of ${rounds}`);
      const normal = legOf(await this.#through([this.#login], { callers, warmUpMs: 300, ms, maxCalls }, false));
      const rate = 4 * normal.perSecond;
      const { flood, modest: aside, byLogin, distinctIds, faults, heldBack, sentLateMs } = await this.load.ask('flood', { ...this.#target(), logins, modest, rate, ms });
      for (const [login, calls] of byLogin) this.#count(login, calls);
      const accepted = flood.accepted.length + aside.accepted.length;
      this.#madeThrough += accepted;
      this.#distinctIds += distinctIds;
      this.#noteFaults(faults);
      const after = legOf(await this.#through([this.#login], { callers, warmUpMs: 0, ms: Math.min(ms, 1000), maxCalls }, false));
      all.push({
        normal, rate, after, sentLateMs, heldBack: heldBack / (ms / 1000), accepted: flowOf(flood.accepted, ms), refused: flowOf(flood.refused, ms),
        modest: { calls: aside.accepted.length + aside.refused.length, refused: aside.refused.length, median: quantile(aside.accepted, 0.5) },
      });
    }
    return all;
  }

  /** Makes many enrollments, starts the API anew, calls each of them once, and looks at its memory. */
  async memory(sessions: number): Promise<Memory> {
    const afterRounds = await this.api.residentMiB();
    const logins = await this.catalog.enroll(sessions);
    await this.#restart([]);
    const started = await this.api.residentMiB();
    const run = await this.#through(logins, { callers: 4, warmUpMs: 0, ms: 120_000, maxCalls: logins.length }, false);
    const coldMs = { median: quantile(run.latencies, 0.5), p99: quantile(run.latencies, 0.99) };
    return { afterRounds, started, withSessions: await this.api.residentMiB(), sessions, coldMs };
  }

  /** What is wrong; see {@link wrongs}. */
  async check(): Promise<string[]> {
    return wrongs({
      made: this.#made, madeThrough: this.#madeThrough, distinctIds: this.#distinctIds, answerFaults: this.#answerFaults, repetitionFaults: this.#repetitionFaults,
      seen: await this.server.ask('seen', undefined as never), stored: await this.catalog.storedCalls(), storedSucceeded: await this.catalog.storedCalls('SUCCEEDED'),
    });
  }

  /** Starts the API anew under Node's profiler, on the same state, and says where its time goes. It is slower meanwhile. */
  async profile(callers: readonly number[]): Promise<Profile> {
    await this.#restart(['--cpu-prof', '--cpu-prof-interval=400', `--cpu-prof-dir=${this.directory}`, '--cpu-prof-name=api.cpuprofile']);
    const runs: { callers: number; run: Run }[] = [];
    for (const count of [Math.max(...callers), ...callers]) runs.push({ callers: count, run: await this.#through([this.#login], { callers: count, warmUpMs: 500, ms: PROFILE_MS, maxCalls: Infinity }, false) });
    await this.api.stop();
    // The first one was for warming up.
    return runs.slice(1).map(({ callers: count, run }) => ({
      callers: count, calls: run.latencies.length, seconds: (run.window.to - run.window.from) / 1e6, spent: readProfile(join(this.directory, 'api.cpuprofile'), run.window),
    }));
  }

  async #restart(nodeOptions: string[]): Promise<void> {
    await this.api.stop();
    this.api = await ApiProcess.start(this.directory, nodeOptions);
    this.catalog = new Catalog(this.api.url, await this.api.adminToken());
  }

  #turn(way: Way, bounds: Bounds & { large?: boolean }): Promise<Run> {
    return way === 'direct' ? this.#directly(bounds) : this.#through([this.#login], bounds, way === 'keyed');
  }

  async #directly(bounds: Bounds & { large?: boolean }): Promise<Run> {
    const run = await this.direct.ask('run', { ...bounds, url: this.serverUrl, login: DIRECT_LOGIN });
    this.#count(DIRECT_LOGIN, run.calls);
    return this.#noted(run);
  }

  async #through(logins: Login[], bounds: Bounds & { large?: boolean }, keyed: boolean): Promise<Run> {
    const cpu = await this.api.cpuMicros();
    const run = await this.load.ask('run', { ...bounds, ...this.#target(), logins, keyed });
    run.cpuMicros = (await this.api.cpuMicros() - cpu) / run.calls;
    // They took turns.
    logins.forEach(({ login }, index) => this.#count(login, Math.ceil((run.calls - index) / logins.length)));
    this.#madeThrough += run.calls;
    this.#distinctIds += run.distinctIds;
    this.#keyed.push(...run.keyed);
    return this.#noted(run);
  }

  #target() {
    return { url: this.api.url, document: this.#document, connectionType: TYPE_NAME };
  }

  #count(login: string, calls: number): void {
    if (calls > 0) this.#made.set(login, (this.#made.get(login) ?? 0) + calls);
  }

  #noted(run: Run): Run {
    this.#noteFaults(run.faults);
    return run;
  }

  #noteFaults({ count, examples }: Run['faults']): void {
    this.#answerFaults.count += count;
    if (this.#answerFaults.examples.length < 5) this.#answerFaults.examples.push(...examples);
  }
}

function legOf({ latencies, perSecond, cpuMicros }: Run): Leg {
  return { median: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), perSecond, cpuMicros };
}

function flowOf(took: Float64Array, ms: number): OverloadRound['accepted'] {
  return { perSecond: took.length / (ms / 1000), median: quantile(took, 0.5), p99: quantile(took, 0.99) };
}

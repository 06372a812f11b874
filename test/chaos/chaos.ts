import { setTimeout as sleep } from 'node:timers/promises';
import { migrate } from '#core/store/migrate.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { ChildProgram } from '#test/bench/child-program.js';
import { startOwnPostgres, type OwnPostgres } from '#test/bench/own-postgres.js';
import { freePort } from '#test/support/free-port.js';
import type { AuthorizationServerAnswers } from './authorization-server.js';
import { keepCalling, type MadeCall } from './callers.js';
import { Chance } from './chance.js';
import { disturb, type Fault } from './disturbance.js';
import { fleetSettings } from './fleet.js';
import { FleetProcess } from './fleet-process.js';
import type { FlappingServersAnswers } from './flapping-servers.js';
import { settled, type Evidence } from './judge.js';
import type { Plan } from './plan.js';
import { credentialOf, setScene, type Scene } from './scene.js';
import { Witness } from './witness.js';

const ACCESS_TOKEN_TTL = 6;
const TOKEN_ENDPOINT_MS = 400;
const FLAPPING = 3;
/** So many call at the same time, for all people. */
const CALLERS = 8;
/** Longer than a lease of a refresh, a heartbeat and a health check's longest wait take together. */
const SETTLE_MS = 120_000;
const LOOK_MS = 250;

/** What a run leaves behind. */
export interface Outcome {
  evidence: Evidence;
  /** How long it took until everything had settled after the last fault; null: it didn't within two minutes. */
  settledAfterMs: number | null;
  /** How often a server went down. */
  outages: number;
  /** Errors that processes logged, by message. */
  logged: Map<string, string>;
}

/** One run of chaos: a database, a fleet of four processes, the servers that they talk to, and people who call. */
export class Chaos {
  readonly #faults: Fault[] = [];
  readonly #calls: MadeCall[] = [];
  readonly #chance: Chance;

  private constructor(
    private readonly plan: Plan, private readonly postgres: OwnPostgres, private readonly witness: Witness, private readonly scene: Scene,
    private readonly provider: ChildProgram<AuthorizationServerAnswers>, private readonly servers: ChildProgram<FlappingServersAnswers>,
    private readonly fleet: readonly FleetProcess[], private readonly apis: readonly string[],
  ) {
    this.#chance = new Chance(plan.seed);
  }

  /** Starts everything, and resolves when every connection is Ready. */
  static async start(plan: Plan): Promise<Chaos> {
    const postgres = await startOwnPostgres('chaos');
    await migrate(postgres.url);
    const witness = await Witness.on(postgres.url);
    const provider = ChildProgram.start<AuthorizationServerAnswers>('authorization-server', import.meta.url);
    const servers = ChildProgram.start<FlappingServersAnswers>('flapping-servers', import.meta.url);
    const people = Array.from({ length: plan.people }, (_, index) => `person-${index}`);
    const { mcpUrl } = await provider.ask('start', { accessTokenTtl: ACCESS_TOKEN_TTL, takesMs: TOKEN_ENDPOINT_MS, seed: plan.seed });
    const flapping = await servers.ask('start', Array.from({ length: FLAPPING }, (_, server) => people.map((person) => credentialOf(person, server))));
    const ring = KeyRing.generateEntry();
    const scene = await setScene(postgres.url, ring, people, { guarded: mcpUrl, flapping }, provider);
    const ports = [await freePort(), await freePort()];
    const env = fleetSettings(postgres.url, ring);
    const fleet = [
      ...ports.map((port, index) => new FleetProcess(`api ${index + 1}`, 'api', { ...env, PORT: String(port) })),
      ...[1, 2].map((number) => new FleetProcess(`operator ${number}`, 'operator', env)),
    ];
    const chaos = new Chaos(plan, postgres, witness, scene, provider, servers, fleet, ports.map((port) => `http://127.0.0.1:${port}`));
    try {
      await Promise.all(fleet.map((one) => one.start()));
      if (await chaos.#settle(async () => (await witness.withoutTools()) === 0) === null) throw new Error('not everything was Ready before the first fault');
    } catch (error) {
      await chaos.close();
      throw error;
    }
    return chaos;
  }

  /** Lets things happen, and then settle. */
  async run(progress: (text: string) => void): Promise<Outcome> {
    const { plan, servers, fleet, scene } = this;
    const over = new AbortController();
    const calling = Array.from(Map.groupBy(scene.logins, ({ person }) => person % CALLERS).values(), (logins, index) => keepCalling(logins, this.apis, new Chance(plan.seed + 1 + index), over.signal, (call) => void this.#calls.push(call)));
    const until = Date.now() + plan.forMs;
    const ticker = setInterval(() => progress(this.#tale(until)), 1000);
    await servers.ask('flap', plan.seed);
    await disturb(fleet, this.#chance, until, (fault) => void this.#faults.push(fault));
    const outages = await servers.ask('steady', undefined as never);
    clearInterval(ticker);
    progress('settling');
    // A lease that a dead process left behind is still to run out.
    const attempts = await this.witness.attempts();
    const settledAfterMs = await this.#settle(async () => ![...await this.witness.attempts()].some((id) => attempts.has(id)));
    over.abort();
    await Promise.all(calling);
    const ends = await this.witness.ends();
    await this.#untilNothingRuns();
    await Promise.all(fleet.map((one) => one.stop()));
    return { evidence: await this.#evidence(ends), settledAfterMs, outages, logged: new Map(fleet.flatMap((one) => [...one.errors])) };
  }

  /** Ends every process and removes the database. */
  async close(): Promise<void> {
    await Promise.all(this.fleet.map((one) => one.stop()));
    await this.witness.close();
    await Promise.all([this.provider.stop(), this.servers.stop()]);
    await this.postgres.stop();
  }

  async #evidence(ends: Evidence['ends']): Promise<Evidence> {
    const { scene, witness, provider, servers } = this;
    const { presented, sightings } = await provider.ask('log', undefined as never);
    return {
      logins: scene.logins, faults: this.#faults, calls: this.#calls, presented, sightings: [...sightings, ...await servers.ask('sightings', undefined as never)],
      changes: await witness.changes(), records: await witness.records(), ends,
    };
  }

  /** Until the end of everything can be told. Answers how long that took. */
  async #settle(also: () => Promise<boolean>): Promise<number | null> {
    const began = Date.now();
    for (; Date.now() - began < SETTLE_MS; await sleep(LOOK_MS)) {
      const [ends, changes] = [await this.witness.ends(), await this.witness.changes()];
      const latest = new Map(changes.map((change) => [change.enrollmentId, change]));
      if (ends.every((end) => settled(end, latest.get(end.id))) && await also()) return Date.now() - began;
    }
    return null;
  }

  /** Calls of processes that died are put an end to by those that live. */
  async #untilNothingRuns(): Promise<void> {
    for (const until = Date.now() + SETTLE_MS; Date.now() < until && await this.witness.running() > 0;) await sleep(LOOK_MS);
  }

  #tale(until: number): string {
    const answered = this.#calls.filter(({ answers }) => answers.length > 0).length;
    return `${Math.max(0, Math.round((until - Date.now()) / 1000))} s to go: ${this.#faults.length} kills and pauses, ${answered} calls answered`;
  }
}

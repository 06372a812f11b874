import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';
import { createLogger } from '#core/log.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#core/postgres/embedded.js';
import { migrate } from '#core/store/migrate.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { ChildProgram } from '#test/bench/child-program.js';
import type { MadeCall } from '#test/chaos/callers.js';
import { Chance } from '#test/chaos/chance.js';
import { fleetSettings } from '#test/chaos/fleet.js';
import { FleetProcess } from '#test/chaos/fleet-process.js';
import type { FlappingServersAnswers } from '#test/chaos/flapping-servers.js';
import { credentialOf } from '#test/chaos/scene.js';
import { Witness } from '#test/chaos/witness.js';
import { freePort } from '#test/support/free-port.js';
import { keepCalling } from './callers.js';
import { Observed, SETTLE_PRELOAD, type Holding } from './flatness.js';
import type { Evidence } from './judge.js';
import type { Plan } from './plan.js';
import { setScene, type SoakLogin } from './scene.js';
import { KINDS, type ServersAnswers } from './servers.js';

const CHAOS = new URL('../chaos/chaos.js', import.meta.url).href;
/** A call of a process that died is found by its heart not beating: 15 seconds, and a round of whoever looks. */
const ORPHANS_MS = 60_000;
const LOOK_MS = 250;

/** What a run leaves behind. */
export interface Outcome {
  evidence: Evidence;
  /** How often the flapping server went down. */
  outages: number;
  /** The most sockets that the API that lives had at a time, those to the database aside; null where the system can't say. */
  mostSockets: number | null;
  /** Errors that processes logged, by message. */
  logged: Map<string, string>;
}

/** One soak: a database, an API that lives and one that is killed, servers of every kind, and people who call. */
export class Soak {
  readonly #calls: MadeCall[] = [];
  #kills = 0;
  #mostSockets: number | null = null;

  private constructor(
    private readonly plan: Plan, private readonly directory: string, private readonly postgres: EmbeddedPostgres, private readonly witness: Witness, private readonly logins: readonly SoakLogin[],
    private readonly flapping: ChildProgram<FlappingServersAnswers>, private readonly servers: ChildProgram<ServersAnswers>,
    private readonly living: FleetProcess, private readonly dying: FleetProcess, private readonly apis: readonly string[],
  ) {}

  /** Starts everything. */
  static async start(plan: Plan): Promise<Soak> {
    const directory = await mkdtemp(join(tmpdir(), 'fairlead-soak-'));
    const postgres = await startEmbeddedPostgres({ directory: join(directory, 'postgres'), logger: createLogger('silent'), searchPath: process.env['PATH'] ?? '', durable: true });
    await migrate(postgres.url);
    const witness = await Witness.on(postgres.url);
    const flapping = ChildProgram.start<FlappingServersAnswers>('flapping-servers', CHAOS);
    const servers = ChildProgram.start<ServersAnswers>('servers', import.meta.url);
    const people = Array.from({ length: plan.people }, (_, index) => `person-${index}`);
    const urls = await servers.ask('start', plan.seed);
    const [flappingUrl] = await flapping.ask('start', [people.map((person) => credentialOf(person, KINDS.length))]);
    const ring = KeyRing.generateEntry();
    const logins = await setScene(postgres.url, ring, people, [...KINDS.map((kind): [string, string] => [kind, urls[kind]]), ['flapping', flappingUrl!]]);
    const ports = [await freePort(), await freePort()] as const;
    const env = fleetSettings(postgres.url, ring);
    const living = new FleetProcess('the API that lives', 'api', { ...env, PORT: String(ports[0]), SOAK_MEMORY_FILE: join(directory, 'memory'), NODE_OPTIONS: `--import=${SETTLE_PRELOAD}` });
    const dying = new FleetProcess('the API that is killed', 'api', { ...env, PORT: String(ports[1]) });
    const soak = new Soak(plan, directory, postgres, witness, logins, flapping, servers, living, dying, ports.map((port) => `http://127.0.0.1:${port}`));
    try {
      await Promise.all([living.start(), dying.start()]);
    } catch (error) {
      await soak.close();
      throw error;
    }
    return soak;
  }

  /** Calls for a third of the time to warm up, and for the rest; looks at the API that lives after each. */
  async run(progress: (text: string) => void): Promise<Outcome> {
    const { plan, flapping, servers, witness, logins, living, dying } = this;
    await flapping.ask('flap', plan.seed);
    await this.#call('warming up', plan.forMs / 3, progress);
    progress('at rest after warming up');
    const warm = await this.#atRest();
    await this.#call('calling', plan.forMs * 2 / 3, progress);
    const outages = await flapping.ask('steady', undefined as never);
    progress('at rest at the end');
    const end = await this.#atRest();
    for (const until = Date.now() + ORPHANS_MS; Date.now() < until && await witness.running() > 0;) await sleep(LOOK_MS);
    const evidence: Evidence = {
      logins, calls: this.#calls, kills: this.#kills, warm, end, records: await witness.records(),
      sightings: [...await servers.ask('sightings', undefined as never), ...await flapping.ask('sightings', undefined as never)],
    };
    await Promise.all([living.stop(), dying.stop()]);
    return { evidence, outages, mostSockets: this.#mostSockets, logged: new Map([...living.errors, ...dying.errors]) };
  }

  /** Ends every process and removes the database. */
  async close(): Promise<void> {
    await Promise.all([this.living.stop(), this.dying.stop()]);
    await this.witness.close();
    await this.postgres.stop();
    await Promise.all([this.flapping.stop(), this.servers.stop()]);
    await rm(this.directory, { recursive: true, force: true });
  }

  async #call(what: string, forMs: number, progress: (text: string) => void): Promise<void> {
    const over = new AbortController();
    const until = Date.now() + forMs;
    const chance = new Chance(this.plan.seed + this.#calls.length);
    const ticker = setInterval(() => {
      progress(`${what}, ${Math.max(0, Math.round((until - Date.now()) / 1000))} s to go: ${this.#calls.length} calls, ${this.#kills} kills`);
      void this.#observed?.sockets().then(({ other }) => { this.#mostSockets = Math.max(this.#mostSockets ?? 0, other); }, () => undefined);
    }, 500);
    // Of these callers alone, so that none is left open when they are at rest.
    const dispatcher = new Agent();
    // Half of them call where nothing goes wrong, so that there are many.
    const steady = this.logins.filter(({ connectionType }) => connectionType === KINDS[0]);
    const callers = Array.from({ length: this.plan.callers }, (_, index) => keepCalling({
      name: `${what} ${index}`.replaceAll(' ', '-'), logins: index % 2 === 0 ? this.logins : steady, apis: this.apis, dispatcher, chance: new Chance(Math.floor(chance.between(0, 2 ** 32))), note: (call) => void this.#calls.push(call),
    }, over.signal));
    await this.#kill(chance, until);
    over.abort();
    clearInterval(ticker);
    await Promise.all(callers);
    await dispatcher.close();
  }

  async #kill(chance: Chance, until: number): Promise<void> {
    const left = (): number => Math.max(0, until - Date.now());
    while (left() > 0) {
      await sleep(Math.min(chance.between(1500, 8000), left()));
      if (left() === 0) return;
      this.#kills += 1;
      await this.dying.kill();
      await sleep(chance.between(0, 1000));
      await this.dying.start();
    }
  }

  get #observed(): Observed | null {
    return process.platform === 'linux' ? new Observed(this.living.pid, Number(new URL(this.postgres.url).port), join(this.directory, 'memory')) : null;
  }

  async #atRest(): Promise<Holding | null> {
    return await this.#observed?.atRest() ?? null;
  }
}

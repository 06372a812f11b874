import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectionTypeSpec } from '#core/connection/spec.js';
import { newId } from '#core/store/ids.js';
import { ChildProgram } from '../child-program.js';
import { readProfile, type TimeSpent } from '../cpu-profile.js';
import { Ground } from './ground.js';
import { between, bucketsOf, quantileOf, total, type Buckets } from './histogram.js';
import type { McpServersAnswers } from './mcp-servers.js';
import type { Plan } from './plan.js';
import type { Served } from './served.js';

/** A stretch of time, and what one operator did in it. */
export interface Stretch {
  seconds: number;
  checks: number;
  /** How late objects were claimed, in seconds. */
  lagP99: number;
  /** Processor time of the operator for each check, in microseconds. */
  cpuMicros: number;
  /** Share of one core that the operator took. */
  cpuShare: number;
  /** Requests that servers saw, and transactions that the database committed, for each check. */
  requests: number;
  commits: number;
}

/** What measuring health checks gave. */
export interface ChecksResult {
  types: number;
  steady: Stretch;
  /** While everything was due at once. */
  saturated: Stretch;
  /** The most that was seen, in MiB. */
  residentMiB: number;
  profile: TimeSpent | null;
  wrongs: string[];
}

const LAG = 'workqueue_queue_duration_seconds';
const KIND = 'name="ConnectionType"';
const SEED_AT_ONCE = 1000;

interface Reading {
  at: number;
  cpu: number;
  lag: Buckets;
  requests: number;
  commits: number;
}

/** Measures one operator that looks after many servers. */
export async function measureChecks(plan: Plan, progress: (text: string) => void): Promise<ChecksResult> {
  const ground = await Ground.prepare();
  const servers = ChildProgram.start<McpServersAnswers>('mcp-servers', import.meta.url);
  try {
    progress('making connection types');
    await seed(ground, plan, await servers.ask('start', plan.ports));
    const profile = join(ground.directory, 'operator.cpuprofile');
    const options = plan.profile ? ['--cpu-prof', '--cpu-prof-interval=400', `--cpu-prof-dir=${ground.directory}`, '--cpu-prof-name=operator.cpuprofile'] : [];
    const operator = await ground.start('operator', options);
    const read = async (): Promise<Reading> => ({
      at: performance.now(), cpu: await operator.cpuMicros(), lag: bucketsOf(await operator.metrics(), LAG, KIND), requests: await servers.ask('requests', undefined as never), commits: await ground.commits(),
    });
    progress('warming up');
    await spread(ground, plan);
    await sleep(plan.warmUpMs);
    const memory = new Peak(operator);
    progress('measuring at the interval');
    const first = await read();
    await memory.watch(plan.measureMs);
    const steady = stretch(first, await read());
    const { lost, unready } = await standing(ground, plan);
    progress('measuring with everything due');
    const saturated = await saturate(ground, plan, read, memory);
    const wrongs = await ground.stopServed();
    if (lost > 0) wrongs.push(`${lost} connection types were not looked at for two intervals.`);
    if (unready > 0) wrongs.push(`${unready} connection types aren't Ready, although their servers answer.`);
    return { types: plan.types, steady, saturated: saturated.stretch, residentMiB: memory.mib, profile: plan.profile ? readProfile(profile, saturated.window) : null, wrongs };
  } finally {
    await ground.clear();
    await servers.stop();
  }
}

/** One connection type that is due at once, and the others, which wait for it. */
async function seed(ground: Ground, { types, intervalSeconds }: Plan, urls: readonly string[]): Promise<void> {
  const teamId = newId();
  await ground.query(`insert into teams (id, slug, display_name) values ($1, 'bench', 'Bench')`, [teamId]);
  for (let made = 0; made < types; made += SEED_AT_ONCE) {
    const rows = Array.from({ length: Math.min(SEED_AT_ONCE, types - made) }, (_, index) => {
      const number = made + index;
      const serverUrl = `${urls[number % urls.length]!}?number=${number}`;
      return { id: newId(), name: `type-${number}`, lane: new URL(serverUrl).host, spec: connectionTypeSpec.parse({ displayName: `Type ${number}`, serverUrl, authMethod: 'NONE', health: { intervalSeconds } }) };
    });
    await ground.query(
      `with rows as (select * from jsonb_to_recordset($2::jsonb) as r (id uuid, name text, lane text, spec jsonb)),
       made as (insert into connection_types (id, team_id, name, spec, origin) select id, $1, name, spec, 'API' from rows returning id),
       status as (insert into connection_type_status (connection_type_id) select id from made)
       insert into reconcile_schedule (kind, id, lane, due) select 'ConnectionType', id, lane, case when name = 'type-0' then now() else now() + interval '1 hour' end from rows`,
      [teamId, JSON.stringify(rows)],
    );
  }
}

/** What the operator found at the first one is on record of them all, as it would be after some time, and they are due at any moment of their interval. */
async function spread(ground: Ground, { intervalSeconds }: Plan): Promise<void> {
  const first = async () => (await ground.query<{ id: string }>(`select s.connection_type_id as id from connection_type_status s join tools t on t.scope_id = s.connection_type_id`))[0];
  for (let found = await first(); ; found = await first()) {
    if (found === undefined) {
      await sleep(100);
      continue;
    }
    await ground.query(
      `insert into tools (id, team_id, connection_type_id, scope_id, name, definition, definition_hash, accepted_hash)
       select gen_random_uuid(), o.team_id, c.id, c.id, o.name, o.definition, o.definition_hash, o.accepted_hash from tools o, connection_types c where o.scope_id = $1 and c.id <> $1`,
      [found.id],
    );
    await ground.query(
      `update connection_type_status s set conditions = o.conditions, era = o.era, protocol_version = o.protocol_version, server_name = o.server_name, server_version = o.server_version,
         tools_source = o.tools_source, tools_synced_at = o.tools_synced_at, last_checked_at = o.last_checked_at
       from connection_type_status o where o.connection_type_id = $1 and s.connection_type_id <> $1`,
      [found.id],
    );
    await ground.query('analyze');
    await ground.query(`update reconcile_schedule set due = now() + random() * $1 * interval '1 second' where worker is null`, [intervalSeconds]);
    return;
  }
}

/** What the database says after the measurement. What is late, since the machine stood still, is looked at in the next two intervals; what is lost isn't. */
async function standing(ground: Ground, { intervalSeconds }: Plan): Promise<{ lost: number; unready: number }> {
  for (let intervals = 0; ; intervals += 1) {
    const [row] = await ground.query<{ lost: number; unready: number }>(
      `select count(*) filter (where last_checked_at is null or last_checked_at < now() - $1 * 2 * interval '1 second')::int as lost,
         count(*) filter (where last_checked_at is not null and not conditions @> '[{"type": "Ready", "status": "TRUE"}]')::int as unready from connection_type_status`,
      [intervalSeconds],
    );
    if (row!.lost === 0 || intervals === 2) return row!;
    await sleep(intervalSeconds * 1000);
  }
}

/** Makes everything due again and again, so that the operator always has more than it can do. */
async function saturate(ground: Ground, { saturationMs }: Plan, read: () => Promise<Reading>, memory: Peak): Promise<{ stretch: Stretch; window: { from: number; to: number } }> {
  const everythingDue = () => ground.query('update reconcile_schedule set due = now() where worker is null and due > now()');
  await everythingDue();
  const from = micros();
  const first = await read();
  for (const until = performance.now() + saturationMs; performance.now() < until; await everythingDue()) await memory.watch(Math.min(2000, saturationMs));
  return { stretch: stretch(first, await read()), window: { from, to: micros() } };
}

function stretch(first: Reading, last: Reading): Stretch {
  const lag = between(first.lag, last.lag);
  const [seconds, checks, cpu] = [(last.at - first.at) / 1000, total(lag), last.cpu - first.cpu];
  return {
    seconds, checks, lagP99: quantileOf(lag, 0.99), cpuMicros: cpu / checks, cpuShare: cpu / 1e6 / seconds,
    requests: (last.requests - first.requests) / checks, commits: (last.commits - first.commits) / checks,
  };
}

function micros(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** The most memory that a process was seen with. */
class Peak {
  mib = 0;

  constructor(private readonly served: Served) {}

  async watch(ms: number): Promise<void> {
    for (const until = performance.now() + ms; performance.now() < until;) {
      await sleep(Math.max(0, Math.min(1000, until - performance.now())));
      this.mib = Math.max(this.mib, await this.served.residentMiB());
    }
  }
}

import type { EntityManager } from 'typeorm';

/** What the operator keeps true. */
export const SCHEDULED_KINDS = ['ConnectionType', 'Enrollment', 'MirrorNamespace', 'MirrorObject', 'Tombstone'] as const;
export type ScheduledKind = (typeof SCHEDULED_KINDS)[number];

/** One object of the schedule. */
export interface ScheduleKey {
  kind: ScheduledKind;
  id: string;
}

/** An object that one worker reconciles now. */
export interface Claim extends ScheduleKey {
  /** The fence: raised by every claim. What carries an older one is refused. */
  epoch: string;
  /** The host that the work goes to, with its port. */
  lane: string;
  /** Runs that failed in a row before this one. */
  failures: number;
  /** How late it was claimed, in milliseconds. */
  lateMs: number;
}

/** How a run ended: see {@link Schedule.finish}. */
export interface RunEnding {
  claim: Claim;
  afterMs: number;
  failures: number;
}

/** Who claims, and what it has room for. */
export interface ClaimRequest {
  worker: string;
  limit: number;
  /** What it knows how to reconcile. */
  kinds: readonly ScheduledKind[];
  /** Of one lane, all that the worker runs counted. */
  perLane: number;
  /** How many the worker runs now, by lane. */
  running: ReadonlyMap<string, number>;
  /** {@link DEAD_AFTER_MS} unless said otherwise. */
  deadAfterMs?: number;
}

/** The channel that wakes workers; its payload is empty, so that PostgreSQL coalesces. */
export const DUE_CHANNEL = 'fairlead_due';

/** A worker that has been silent for so long is dead, in milliseconds. */
export const DEAD_AFTER_MS = 15_000;
/** Longer than any run may take, in milliseconds: a claim that is older was lost by a worker that still lives. */
export const LOST_AFTER_MS = 120_000;
const LOST_AFTER = `interval '${LOST_AFTER_MS} milliseconds'`;
/** Of what is due, so many are looked at for one claim. */
const WINDOW = 1000;

/** The host of a server URL as SQL, for fairness between servers. */
const LANE = `coalesce(substring(t.spec->>'serverUrl' from '^[A-Za-z]+://([^/?#]+)'), '')`;
const SOURCES: Record<ScheduledKind, string> = {
  ConnectionType: `select t.id, ${LANE} as lane from connection_types t where t.deleted_at is null`,
  Enrollment: `select e.id, ${LANE} as lane from enrollments e join connection_types t on t.id = e.connection_type_id where e.deleted_at is null and t.deleted_at is null`,
  // What the mirror looks at is one API server, with one worker for it.
  MirrorNamespace: `select n.id, '' as lane from mirror_namespaces n`,
  MirrorObject: `select m.id, '' as lane from mirror_objects m where m.state in ('ACTIVE', 'OFFERED')`,
  Tombstone: `select m.id, '' as lane from mirror_objects m where m.state = 'TOMBSTONE'`,
};

/** Whether a process is believed to live. `deadAfter` is a parameter, in milliseconds. */
const alive = (deadAfter: string): string => `p.heartbeat_at > clock_timestamp() - ${deadAfter}::float8 * interval '1 millisecond'`;
/** Whether a row belongs to nobody: never claimed, or by a worker that is dead or has lost it. */
const free = (deadAfter: string): string => `(s.worker is null or s.claimed_at <= clock_timestamp() - ${LOST_AFTER}
  or not exists (select from processes p where p.id = s.worker and ${alive(deadAfter)}))`;

/**
 * The work queue of the operator (design section 8). PostgreSQL keeps it honest; all times are the database's.
 *
 *     waiting ──mark or time──▶ due ──claim (epoch + 1)──▶ running ──finish (same epoch)──▶ waiting, or due at once if it was marked meanwhile
 *                                ▲                            └─its worker is silent for 15 s, or 120 s have passed─┐
 *                                └──────────────────────────────────────────────────────────────────────────────────┘
 *
 * Whoever claims judges who is dead, so all workers of an installation go by the same time.
 */
export class Schedule {
  constructor(private readonly manager: EntityManager) {}

  /**
   * Makes objects due now, and wakes the workers at commit: part of the transaction of the change. Never part of a call's transaction.
   * @param urgent a person waits for it: it goes before the routine
   */
  async mark(kind: ScheduledKind, ids: readonly string[], { urgent = false }: { urgent?: boolean } = {}): Promise<void> {
    if (ids.length === 0) return;
    await this.manager.query(
      `insert into reconcile_schedule (kind, id, lane, due, urgent)
       select $1, o.id, o.lane, now(), $3 from (${SOURCES[kind]}) o where o.id = any($2::uuid[]) order by o.id
       on conflict (kind, id) do update set dirty = reconcile_schedule.dirty + 1, due = least(reconcile_schedule.due, now()), lane = excluded.lane,
         urgent = reconcile_schedule.urgent or excluded.urgent`,
      [kind, [...ids], urgent],
    );
    await this.manager.query(`select pg_notify('${DUE_CHANNEL}', '')`);
  }

  /** Puts on the schedule what isn't there: objects that a program before it has made. Returns how many. */
  async adopt(): Promise<number> {
    let adopted = 0;
    for (const kind of SCHEDULED_KINDS) {
      const rows = (await this.manager.query(
        `insert into reconcile_schedule (kind, id, lane, due)
         select $1, o.id, o.lane, now() from (${SOURCES[kind]}) o where not exists (select from reconcile_schedule s where s.kind = $1 and s.id = o.id)
         on conflict do nothing returning 1`,
        [kind],
      )) as unknown[];
      adopted += rows.length;
    }
    return adopted;
  }

  /**
   * Takes what is due and belongs to nobody: the urgent first, then the oldest, of each lane no more than there is room for. Nothing for a worker that is itself believed to be
   * dead, as after a pause or without its database for a while: what it took would be free again at once, for others and for itself.
   */
  async claim({ worker, limit, kinds, perLane, running, deadAfterMs = DEAD_AFTER_MS }: ClaimRequest): Promise<Claim[]> {
    const rows = (await this.manager.query(
      `with lanes as (select * from unnest($4::text[], $5::int[]) as l (lane, running)),
       ready as (
         select s.kind, s.id, s.lane, s.urgent, s.due from reconcile_schedule s
         where exists (select from processes p where p.id = $1 and ${alive('$6')}) and s.kind = any($7) and s.due <= clock_timestamp() and ${free('$6')} and not exists (select from lanes l where l.lane = s.lane and l.running >= $3)
         order by s.urgent desc, s.due limit ${WINDOW}),
       fair as (
         select r.kind, r.id, r.urgent, r.due from (select ready.*, row_number() over (partition by lane order by urgent desc, due) as place from ready) r
         where r.place <= $3 - coalesce((select l.running from lanes l where l.lane = r.lane), 0)
         order by r.urgent desc, r.due limit $2),
       chosen as (
         select s.kind, s.id, s.due from reconcile_schedule s join fair f on f.kind = s.kind and f.id = s.id
         where s.due <= clock_timestamp() and ${free('$6')} for update of s skip locked)
       update reconcile_schedule s set epoch = s.epoch + 1, worker = $1, claimed_at = clock_timestamp(), claimed_dirty = s.dirty, urgent = false
       from chosen c where s.kind = c.kind and s.id = c.id
       returning s.kind, s.id, s.epoch, s.lane, s.failures, (1000 * extract(epoch from clock_timestamp() - c.due))::float8 as "lateMs"`,
      [worker, limit, perLane, [...running.keys()], [...running.values()], deadAfterMs, [...kinds]],
    )) as [Claim[], number];
    return rows[0];
  }

  /** Whether the run still counts. What it wrote is to be rolled back when it doesn't: asked last in its transaction. */
  async holds({ kind, id, epoch }: ScheduleKey & Pick<Claim, 'epoch'>): Promise<boolean> {
    const rows = (await this.manager.query('select 1 from reconcile_schedule where kind = $1 and id = $2 and epoch = $3 and worker is not null', [kind, id, epoch])) as unknown[];
    return rows.length === 1;
  }

  /**
   * Ends a run: due again after `afterMs`, or at once if the object was marked meanwhile. False when the run doesn't count any more: somebody else has claimed it since.
   * @param failures in a row, this run included
   */
  async finish({ kind, id, epoch }: Claim, afterMs: number, failures: number): Promise<boolean> {
    const [, count] = (await this.manager.query(
      `update reconcile_schedule set worker = null, claimed_at = null, failures = $5,
         due = case when dirty <> claimed_dirty then clock_timestamp() else clock_timestamp() + $4 * interval '1 millisecond' end
       where kind = $1 and id = $2 and epoch = $3 and worker is not null`,
      [kind, id, epoch, afterMs, failures],
    )) as [unknown, number];
    return count === 1;
  }

  /**
   * Ends many runs, each as {@link finish} does, and answers for each. One statement ends all but those whose rows somebody else holds: it waits for nobody, so that it can't deadlock with
   * transactions that mark several objects.
   */
  async finishAll(endings: readonly RunEnding[]): Promise<boolean[]> {
    const [rows] = (await this.manager.query(
      `with endings as (select * from unnest($1::text[], $2::uuid[], $3::bigint[], $4::float8[], $5::int[]) as e (kind, id, epoch, after_ms, failures)),
       held as (
         select s.kind, s.id, e.after_ms, e.failures from reconcile_schedule s join endings e on e.kind = s.kind and e.id = s.id and e.epoch = s.epoch
         where s.worker is not null for update of s skip locked)
       update reconcile_schedule s set worker = null, claimed_at = null, failures = h.failures,
         due = case when s.dirty <> s.claimed_dirty then clock_timestamp() else clock_timestamp() + h.after_ms * interval '1 millisecond' end
       from held h where s.kind = h.kind and s.id = h.id returning s.kind, s.id, s.epoch`,
      [endings.map(({ claim }) => claim.kind), endings.map(({ claim }) => claim.id), endings.map(({ claim }) => claim.epoch), endings.map(({ afterMs }) => afterMs), endings.map(({ failures }) => failures)],
    )) as [Pick<Claim, 'kind' | 'id' | 'epoch'>[], number];
    const keyOf = ({ kind, id, epoch }: Pick<Claim, 'kind' | 'id' | 'epoch'>): string => `${kind} ${id} ${epoch}`;
    const ended = new Set(rows.map(keyOf));
    return Promise.all(endings.map(({ claim, afterMs, failures }) => (ended.has(keyOf(claim)) ? true : this.finish(claim, afterMs, failures))));
  }

  /** Ends the run of an object that is gone: it leaves the schedule, unless something of that id was marked meanwhile. */
  async forget({ kind, id, epoch }: Claim): Promise<void> {
    await this.manager.query('delete from reconcile_schedule where kind = $1 and id = $2 and epoch = $3 and dirty = claimed_dirty', [kind, id, epoch]);
    await this.manager.query(
      'update reconcile_schedule set worker = null, claimed_at = null, due = clock_timestamp() where kind = $1 and id = $2 and epoch = $3 and worker is not null',
      [kind, id, epoch],
    );
  }

  /** How much is due now and belongs to nobody, and how late the oldest of it is, by kind. */
  async depth(deadAfterMs = DEAD_AFTER_MS): Promise<{ kind: ScheduledKind; due: number; lagMs: number }[]> {
    return (await this.manager.query(
      `select s.kind, count(*)::int as due, (1000 * coalesce(extract(epoch from max(clock_timestamp() - s.due)), 0))::float8 as "lagMs"
       from reconcile_schedule s where s.due <= clock_timestamp() and ${free('$1')} group by s.kind`,
      [deadAfterMs],
    )) as { kind: ScheduledKind; due: number; lagMs: number }[];
  }
}

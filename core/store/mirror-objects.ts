import { In, type EntityManager } from 'typeorm';
import { MirrorObject } from './entities/mirror.entity.js';

/** A custom resource by its place, as it was seen. */
export interface SeenObject {
  kind: MirrorObject['kind'];
  namespace: string;
  name: string;
}

/** How many bindings a team has, and how many of them were deleted within the breaker's time. */
export interface DeletionCount {
  bindings: number;
  deleted: number;
}

const BREAKER_WINDOW = `interval '10 minutes'`;

/** Bindings of custom resources. */
export class MirrorObjects {
  constructor(private readonly manager: EntityManager) {}

  byId(id: string): Promise<MirrorObject | null> {
    return this.manager.findOneBy(MirrorObject, { id });
  }

  /** By what they are the other side of. */
  bySubjects(ids: readonly string[]): Promise<MirrorObject[]> {
    return this.manager.findBy(MirrorObject, { subjectId: In([...ids]) });
  }

  async bySubject(id: string): Promise<MirrorObject | null> {
    return (await this.bySubjects([id]))[0] ?? null;
  }

  byPlace({ kind, namespace, name }: SeenObject): Promise<MirrorObject | null> {
    return this.manager.findOneBy(MirrorObject, { kind, namespace, name });
  }

  /** All, or those of some namespaces. */
  in(namespaces: readonly string[] | null): Promise<MirrorObject[]> {
    return this.manager.find(MirrorObject, { where: namespaces === null ? {} : { namespace: In([...namespaces]) }, order: { id: 'ASC' } });
  }

  /** Has these looked at; those that nobody has seen before are written down. */
  async markSeen(objects: readonly SeenObject[]): Promise<void> {
    if (objects.length === 0) return;
    const columns = [objects.map((one) => one.kind), objects.map((one) => one.namespace), objects.map((one) => one.name)];
    await this.manager.query(
      `insert into mirror_objects (id, kind, namespace, name, origin, team_id)
       select gen_random_uuid(), o.kind, o.namespace, o.name, 'MANIFEST', n.team_id
       from unnest($1::text[], $2::text[], $3::text[]) as o (kind, namespace, name) left join mirror_namespaces n on n.namespace = o.namespace
       order by o.kind, o.namespace, o.name on conflict (namespace, kind, name) do nothing`,
      columns,
    );
    await this.manager.query(
      `select mirror_mark(array(select m.id from mirror_objects m join unnest($1::text[], $2::text[], $3::text[]) as o (kind, namespace, name) using (kind, namespace, name)))`,
      columns,
    );
  }

  /** Those of origin API that are offered to a manifest; or no longer. The mirror hears of it. */
  async offer(id: string, state: 'OFFERED' | 'ACTIVE'): Promise<void> {
    await this.update(id, { state });
    await this.mark([id]);
  }

  /** Has these looked at. */
  async mark(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.manager.query('select mirror_mark($1::uuid[])', [[...ids]]);
  }

  /** The binding, which nobody else changes until the transaction ends; null when it is gone. */
  lock(id: string): Promise<MirrorObject | null> {
    return this.manager.findOne(MirrorObject, { where: { id }, lock: { mode: 'pessimistic_write' } });
  }

  async update(id: string, values: Partial<Omit<MirrorObject, 'id' | 'createdAt' | 'updatedAt'>>): Promise<void> {
    await this.manager.update(MirrorObject, { id }, { ...values, updatedAt: new Date() } as never);
  }

  async remove(id: string): Promise<void> {
    await this.manager.delete(MirrorObject, { id });
  }

  /** A tombstone from now on, with a grace of so many seconds, whose end is on the schedule. */
  async bury(id: string, graceSeconds: number): Promise<void> {
    await this.manager.query(
      `update mirror_objects set state = 'TOMBSTONE', object_uid = null, tombstoned_at = now(), grace_until = now() + $2 * interval '1 second', grace_seconds = $2::int, updated_at = now() where id = $1`,
      [id, graceSeconds],
    );
    await this.manager.query(
      `insert into reconcile_schedule (kind, id, due) select 'Tombstone', id, grace_until from mirror_objects where id = $1
       on conflict (kind, id) do update set due = excluded.due, dirty = reconcile_schedule.dirty + 1`,
      [id],
    );
  }

  /** What the breaker goes by: manifests that declare something. Serialised with others who bury of the team. */
  async deletions(teamId: string): Promise<DeletionCount> {
    await this.serialise(teamId);
    const [row] = (await this.manager.query(
      `select count(*) filter (where state <> 'TOMBSTONE' or recent)::int as bindings, count(*) filter (where recent)::int as deleted
       from (select state, coalesce(tombstoned_at > now() - ${BREAKER_WINDOW}, false) as recent from mirror_objects where team_id = $1 and origin = 'MANIFEST' and subject_id is not null) as m`,
      [teamId],
    )) as DeletionCount[];
    return row!;
  }

  /** Others who bury, hold or restore of the team wait until the transaction ends. Who restores calls it before anything else: who holds waits for the rows of tombstones while it has this. */
  async serialise(teamId: string): Promise<void> {
    await this.manager.query('select from mirror_namespaces where team_id = $1 for update', [teamId]);
  }

  /** After a tombstone was brought back, under {@link serialise}: with the last one that was held the breaker closes. */
  async restored(teamId: string): Promise<void> {
    if ((await this.held(teamId)) === 0) await this.manager.query('update mirror_namespaces set held_since = null, updated_at = now() where team_id = $1 and held_since is not null', [teamId]);
  }

  /** No tombstone of the team ends by itself any more. */
  async hold(teamId: string): Promise<void> {
    await this.manager.query(`update mirror_namespaces set held_since = coalesce(held_since, now()), updated_at = now() where team_id = $1`, [teamId]);
    await this.manager.query(`update mirror_objects set grace_until = null, updated_at = now() where team_id = $1 and state = 'TOMBSTONE'`, [teamId]);
  }

  /** An administrator says yes: what is held ends with its grace, counted from the deletion. Returns how many that are. */
  async release(teamId: string): Promise<number> {
    await this.manager.query('update mirror_namespaces set held_since = null, updated_at = now() where team_id = $1', [teamId]);
    const [rows] = (await this.manager.query(
      `update mirror_objects set grace_until = greatest(now(), tombstoned_at + grace_seconds * interval '1 second'), updated_at = now()
       where team_id = $1 and state = 'TOMBSTONE' and grace_until is null returning id, grace_until`,
      [teamId],
    )) as [{ id: string }[], number];
    await this.manager.query(
      `insert into reconcile_schedule (kind, id, due) select 'Tombstone', m.id, m.grace_until from mirror_objects m where m.id = any($1::uuid[])
       on conflict (kind, id) do update set due = excluded.due, dirty = reconcile_schedule.dirty + 1`,
      [rows.map((row) => row.id)],
    );
    return rows.length;
  }

  /** How many deletions of the team wait for an administrator. */
  async held(teamId: string): Promise<number> {
    const [row] = (await this.manager.query(`select count(*)::int as held from mirror_objects where team_id = $1 and state = 'TOMBSTONE' and grace_until is null`, [teamId])) as { held: number }[];
    return row!.held;
  }
}

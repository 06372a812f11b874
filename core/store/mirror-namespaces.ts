import { In, type EntityManager } from 'typeorm';
import { MirrorNamespace } from './entities/mirror.entity.js';
import { newId } from './ids.js';
import { Schedule } from './schedule.js';

/** Which namespace is which team's. */
export class MirrorNamespaces {
  constructor(private readonly manager: EntityManager) {}

  all(): Promise<MirrorNamespace[]> {
    return this.manager.find(MirrorNamespace, { order: { namespace: 'ASC' } });
  }

  byId(id: string): Promise<MirrorNamespace | null> {
    return this.manager.findOneBy(MirrorNamespace, { id });
  }

  byName(namespace: string): Promise<MirrorNamespace | null> {
    return this.manager.findOneBy(MirrorNamespace, { namespace });
  }

  ofTeams(teamIds: readonly string[]): Promise<MirrorNamespace[]> {
    return this.manager.findBy(MirrorNamespace, { teamId: In([...teamIds]) });
  }

  async ofTeam(teamId: string): Promise<MirrorNamespace | null> {
    return (await this.ofTeams([teamId]))[0] ?? null;
  }

  /** Throws a unique violation when the team has a namespace, or the namespace a team. The mirror hears of it at commit. */
  async insert(values: Pick<MirrorNamespace, 'teamId' | 'namespace' | 'state' | 'clusterUid' | 'namespaceUid'>): Promise<MirrorNamespace> {
    const now = new Date();
    const row = this.manager.create(MirrorNamespace, { ...values, id: newId(), message: '', heldSince: null, createdAt: now, updatedAt: now });
    await this.manager.insert(MirrorNamespace, row);
    if (row.state === 'BOUND') {
      await this.track(row.teamId);
      await this.markObjects(row.namespace);
    }
    await new Schedule(this.manager).mark('MirrorNamespace', [row.id], { urgent: true });
    return row;
  }

  /** A binding that becomes BOUND has its team's rows tracked, and everything in it looked at. */
  async update(row: MirrorNamespace, values: Partial<Pick<MirrorNamespace, 'state' | 'message' | 'clusterUid' | 'namespaceUid' | 'heldSince'>>): Promise<void> {
    await this.manager.update(MirrorNamespace, { id: row.id }, { ...values, updatedAt: new Date() });
    if (values.state === 'BOUND') await this.track(row.teamId);
    if (values.state !== undefined) await this.markObjects(row.namespace);
  }

  /** The objects in it stay as they are; those from manifests are without an owner from now on. */
  async remove(row: MirrorNamespace): Promise<void> {
    await this.manager.query(`delete from mirror_objects where team_id = $1 and origin = 'API'`, [row.teamId]);
    await this.manager.query(`update mirror_objects set state = 'ORPHANED', object_uid = null, updated_at = now() where team_id = $1 and origin = 'MANIFEST' and state = 'ACTIVE'`, [row.teamId]);
    await this.manager.delete(MirrorNamespace, { id: row.id });
    await this.markObjects(row.namespace);
  }

  /** Has everything that the mirror knows of the namespace looked at. */
  async markObjects(namespace: string): Promise<void> {
    await this.manager.query('select mirror_mark(array(select id from mirror_objects where namespace = $1))', [namespace]);
  }

  /** Rows of the team that a binding should have and that nobody tracks: made by a program that didn't know of it. */
  async trackAll(): Promise<void> {
    await this.manager.query(`select mirror_track(team_id) from mirror_namespaces where state = 'BOUND'`);
  }

  /** Rows of the team of origin API that have no mirror yet get one. */
  async track(teamId: string): Promise<void> {
    await this.manager.query('select mirror_track($1)', [teamId]);
  }
}

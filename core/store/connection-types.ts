import { In, type EntityManager } from 'typeorm';
import type { Condition } from '../connection/condition.js';
import type { ConnectionTypeSpec, Origin } from '../connection/spec.js';
import { ConnectionType, ConnectionTypeStatus } from './entities/connection-type.entity.js';
import { newId } from './ids.js';
import { pageOf, type Page, type PageRequest } from './page.js';
import { Schedule } from './schedule.js';
import { storableJson } from './storable.js';

/** What pages show of a type's status. */
export type SeenOfType = Pick<ConnectionTypeStatus, 'connectionTypeId' | 'conditions' | 'protocolVersion' | 'serverName' | 'serverVersion' | 'toolsSource' | 'lastCheckedAt' | 'nextCheckAt'>;

/** The catalog: specs and what was observed of their servers. */
export class ConnectionTypes {
  constructor(private readonly manager: EntityManager) {}

  byIds(ids: readonly string[]): Promise<ConnectionType[]> {
    return this.manager.findBy(ConnectionType, { id: In([...ids]) });
  }

  byId(id: string): Promise<ConnectionType | null> {
    return this.manager.findOneBy(ConnectionType, { id });
  }

  /** Also one that is hidden. */
  evenHidden(id: string): Promise<ConnectionType | null> {
    return this.manager.findOne(ConnectionType, { where: { id }, withDeleted: true });
  }

  /** Also one that is hidden: it holds its name. */
  evenHiddenByName(teamId: string, name: string): Promise<ConnectionType | null> {
    return this.manager.findOne(ConnectionType, { where: { teamId, name }, withDeleted: true });
  }

  byName(teamId: string, name: string): Promise<ConnectionType | null> {
    return this.manager.findOneBy(ConnectionType, { teamId, name });
  }

  statuses(ids: readonly string[]): Promise<ConnectionTypeStatus[]> {
    return this.manager.findBy(ConnectionTypeStatus, { connectionTypeId: In([...ids]) });
  }

  /**
   * The type with its status, which is locked until the transaction ends: whoever writes what was observed of a type or of its enrollments does so one
   * after the other, and takes this lock before any of an enrollment's. Null when the type is gone; it can't go while the lock is held.
   */
  async lock(id: string): Promise<{ type: ConnectionType; status: ConnectionTypeStatus } | null> {
    const type = await this.manager.findOne(ConnectionType, { where: { id }, lock: { mode: 'for_key_share' } });
    const status = type === null ? null : await this.manager.findOne(ConnectionTypeStatus, { where: { connectionTypeId: id }, lock: { mode: 'pessimistic_write' } });
    if (type === null || status === null) return null;
    // Read again: it may have been changed while the lock was waited for.
    const current = await this.manager.findOneBy(ConnectionType, { id });
    return current === null ? null : { type: current, status };
  }

  /** Ends the lists that were read through shared enrollments of this condition, since nobody's login is shown without being shared. Returns whose they were. */
  async endSharedLists(condition: { enrollmentId: string } | { ownerId: string }): Promise<string[]> {
    const [column, value] = 'ownerId' in condition ? ['owner_id', condition.ownerId] : ['id', condition.enrollmentId];
    const [rows] = (await this.manager.query(
      `update connection_type_status s set tools_source = null, tools_synced_at = null, updated_at = now()
       where s.tools_source = 'SHARED' and exists (select from enrollments e where e.connection_type_id = s.connection_type_id and e.${column} = $1 and e.shared)
       returning s.connection_type_id as id`,
      [value],
    )) as [{ id: string }[], number];
    return rows.map((row) => row.id);
  }

  /** Sorted by name; the cursor is the name. With what was seen of each, which pages always show; as the driver gives it, since making entities takes longer than reading. */
  async page(teamId: string, request: PageRequest): Promise<Page<ConnectionType & SeenOfType>> {
    const rows = (await this.manager.query(
      `select t.id, t.team_id as "teamId", t.name, t.spec, t.version, t.origin, t.created_at as "createdAt", t.updated_at as "updatedAt", s.connection_type_id as "connectionTypeId", s.conditions,
         s.protocol_version as "protocolVersion", s.server_name as "serverName", s.server_version as "serverVersion", s.tools_source as "toolsSource", s.last_checked_at as "lastCheckedAt", s.next_check_at as "nextCheckAt"
       from connection_types t join connection_type_status s on s.connection_type_id = t.id
       where t.team_id = $1 and t.deleted_at is null and ($2::text is null or t.name > $2) order by t.name limit $3`,
      [teamId, request.after, request.first + 1],
    )) as (ConnectionType & SeenOfType)[];
    return pageOf(rows, request.first);
  }

  count(teamId: string): Promise<number> {
    return this.manager.countBy(ConnectionType, { teamId });
  }

  /** Throws a unique violation when the name is taken in the team. `conditions` is what is known before anybody has looked at the server. */
  async insert(teamId: string, name: string, spec: ConnectionTypeSpec, origin: Origin = 'API', conditions: Condition[] = []): Promise<ConnectionType> {
    const now = new Date();
    const type = this.manager.create(ConnectionType, { id: newId(), teamId, name, spec, version: 1, origin, createdAt: now, updatedAt: now });
    await this.manager.insert(ConnectionType, type);
    await this.manager.insert(ConnectionTypeStatus, { connectionTypeId: type.id, conditions, updatedAt: now });
    await new Schedule(this.manager).mark('ConnectionType', [type.id], { urgent: true });
    return type;
  }

  /** Compare and set: false when `expectedVersion` is no longer the version. */
  async updateSpec(id: string, expectedVersion: number, spec: ConnectionTypeSpec): Promise<boolean> {
    const result = await this.manager.update(ConnectionType, { id, version: expectedVersion }, { spec, version: expectedVersion + 1, updatedAt: new Date() });
    if (result.affected === 1) await new Schedule(this.manager).mark('ConnectionType', [id], { urgent: true });
    return result.affected === 1;
  }

  /** Replaces what was observed. A deleted type is no error. */
  async updateStatus(id: string, values: Partial<Omit<ConnectionTypeStatus, 'connectionTypeId'>>): Promise<void> {
    await this.manager.update(ConnectionTypeStatus, { connectionTypeId: id }, { ...storableJson(values), updatedAt: new Date() });
  }

  /** Hands the spec over to its other owner. */
  async setOrigin(id: string, origin: Origin): Promise<void> {
    await this.manager.query(`with adopts as (select set_config('fairlead.adopts', $1::text, true)) update connection_types set origin = $2, updated_at = now() from adopts where id = $1::uuid`, [id, origin]);
  }

  /** Hides the type with its enrollments: to everybody it is as if they were gone, and nothing of them is lost. */
  async hide(id: string): Promise<void> {
    await this.manager.query('update connection_types set deleted_at = now() where id = $1 and deleted_at is null', [id]);
    await this.manager.query('update enrollments set deleted_at = now() where connection_type_id = $1 and deleted_at is null', [id]);
  }

  /** Brings back a hidden type, with the enrollments that were hidden with it. */
  async show(id: string): Promise<void> {
    const [enrollments] = (await this.manager.query(
      `update enrollments e set deleted_at = null from connection_types t where t.id = $1 and e.connection_type_id = t.id and e.deleted_at = t.deleted_at returning e.id`, [id],
    )) as [{ id: string }[], number];
    await this.manager.query('update connection_types set deleted_at = null where id = $1', [id]);
    const schedule = new Schedule(this.manager);
    await schedule.mark('ConnectionType', [id], { urgent: true });
    await schedule.mark('Enrollment', enrollments.map((row) => row.id));
  }

  /** Nobody else locks the type, or anything of it that is locked after it, until the transaction ends. */
  async lockForRemoval(id: string): Promise<void> {
    await this.manager.query('select from connection_types where id = $1 for update', [id]);
  }

  /** Deletes the type with everything that hangs on it; null when it is gone or its version has moved, else how many enrollments went with it. */
  async remove(id: string, expectedVersion: number | null): Promise<{ enrollmentIds: string[] } | null> {
    const locked = (await this.manager.query('select version from connection_types where id = $1 for update', [id])) as { version: number }[];
    if (locked[0] === undefined || (expectedVersion !== null && locked[0].version !== expectedVersion)) return null;
    const enrollments = (await this.manager.query('select id from enrollments where connection_type_id = $1', [id])) as { id: string }[];
    await this.manager.delete(ConnectionType, { id });
    return { enrollmentIds: enrollments.map((row) => row.id) };
  }
}

import { In, MoreThan, type EntityManager } from 'typeorm';
import type { ConnectionTypeSpec } from '../connection/spec.js';
import { ConnectionType, ConnectionTypeStatus } from './entities/connection-type.entity.js';
import { newId } from './ids.js';
import { pageOf, type Page, type PageRequest } from './page.js';

/** The catalog: specs and what was observed of their servers. */
export class ConnectionTypes {
  constructor(private readonly manager: EntityManager) {}

  byIds(ids: readonly string[]): Promise<ConnectionType[]> {
    return this.manager.findBy(ConnectionType, { id: In([...ids]) });
  }

  byId(id: string): Promise<ConnectionType | null> {
    return this.manager.findOneBy(ConnectionType, { id });
  }

  byName(teamId: string, name: string): Promise<ConnectionType | null> {
    return this.manager.findOneBy(ConnectionType, { teamId, name });
  }

  statuses(ids: readonly string[]): Promise<ConnectionTypeStatus[]> {
    return this.manager.findBy(ConnectionTypeStatus, { connectionTypeId: In([...ids]) });
  }

  async status(id: string): Promise<ConnectionTypeStatus> {
    return this.manager.findOneByOrFail(ConnectionTypeStatus, { connectionTypeId: id });
  }

  /** Sorted by name; the cursor is the name. */
  async page(teamId: string, request: PageRequest): Promise<Page<ConnectionType>> {
    const rows = await this.manager.find(ConnectionType, {
      where: { teamId, ...(request.after === null ? {} : { name: MoreThan(request.after) }) },
      order: { name: 'ASC' },
      take: request.first + 1,
    });
    return pageOf(rows, request.first);
  }

  count(teamId: string): Promise<number> {
    return this.manager.countBy(ConnectionType, { teamId });
  }

  /** Throws a unique violation when the name is taken in the team. */
  async insert(teamId: string, name: string, spec: ConnectionTypeSpec): Promise<ConnectionType> {
    const now = new Date();
    const type = this.manager.create(ConnectionType, { id: newId(), teamId, name, spec, version: 1, origin: 'API', createdAt: now, updatedAt: now });
    await this.manager.insert(ConnectionType, type);
    await this.manager.insert(ConnectionTypeStatus, { connectionTypeId: type.id, conditions: [], updatedAt: now });
    return type;
  }

  /** Compare and set: false when `expectedVersion` is no longer the version. */
  async updateSpec(id: string, expectedVersion: number, spec: ConnectionTypeSpec): Promise<boolean> {
    const result = await this.manager.update(ConnectionType, { id, version: expectedVersion }, { spec, version: expectedVersion + 1, updatedAt: new Date() });
    return result.affected === 1;
  }

  /** Replaces what was observed. A deleted type is no error. */
  async updateStatus(id: string, values: Partial<Omit<ConnectionTypeStatus, 'connectionTypeId'>>): Promise<void> {
    await this.manager.update(ConnectionTypeStatus, { connectionTypeId: id }, { ...values, updatedAt: new Date() });
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

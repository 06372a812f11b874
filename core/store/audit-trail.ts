import { LessThan, type EntityManager } from 'typeorm';
import { AuditEvent } from './entities/audit-event.entity.js';
import { newId } from './ids.js';
import { pageOf, type Page, type PageRequest } from './page.js';

/** An event that is about to be recorded. */
export type NewAuditEvent = Omit<AuditEvent, 'id' | 'occurredAt'>;

/** Who did what: every mutation, and every call that was refused. (A call that was made has its own record, `tool_calls`.) */
export class AuditTrail {
  constructor(private readonly manager: EntityManager) {}

  async append(event: NewAuditEvent): Promise<void> {
    await this.appendAll([event]);
  }

  /** All of them or none, in one statement. */
  async appendAll(events: readonly NewAuditEvent[]): Promise<void> {
    const occurredAt = new Date();
    await this.manager.insert(AuditEvent, events.map((event) => ({ ...event, id: newId(), occurredAt })));
  }

  /** Newest first. */
  async page(teamId: string, request: PageRequest): Promise<Page<AuditEvent>> {
    const rows = await this.manager.find(AuditEvent, {
      where: { teamId, ...(request.after === null ? {} : { id: LessThan(request.after) }) },
      order: { id: 'DESC' },
      take: request.first + 1,
    });
    return pageOf(rows, request.first);
  }

  byId(id: string): Promise<AuditEvent | null> {
    return this.manager.findOneBy(AuditEvent, { id });
  }

  count(teamId: string): Promise<number> {
    return this.manager.countBy(AuditEvent, { teamId });
  }
}

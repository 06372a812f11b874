import { In, IsNull, MoreThan, type EntityManager } from 'typeorm';
import { Assignment, AssignmentPin, AssignmentSlot } from './entities/assignment.entity.js';
import { newId } from './ids.js';
import { pageOf, type Page, type PageRequest } from './page.js';

/** What a slot is made of, in the order of the list that it is in. */
export type NewSlot = Pick<AssignmentSlot, 'connectionTypeId' | 'allowedTools' | 'requireApproval'>;

/** Assignments with their slots and pins. */
export class Assignments {
  constructor(private readonly manager: EntityManager) {}

  byId(id: string): Promise<Assignment | null> {
    return this.manager.findOneBy(Assignment, { id });
  }

  byIds(ids: readonly string[]): Promise<Assignment[]> {
    return this.manager.findBy(Assignment, { id: In([...ids]) });
  }

  async page(teamId: string, request: PageRequest): Promise<Page<Assignment>> {
    const rows = await this.manager.find(Assignment, {
      where: { teamId, ...(request.after === null ? {} : { id: MoreThan(request.after) }) },
      order: { id: 'ASC' },
      take: request.first + 1,
    });
    return pageOf(rows, request.first);
  }

  count(teamId: string): Promise<number> {
    return this.manager.countBy(Assignment, { teamId });
  }

  /** In the order that they were given in. */
  slots(assignmentIds: readonly string[]): Promise<AssignmentSlot[]> {
    return this.manager.find(AssignmentSlot, { where: { assignmentId: In([...assignmentIds]) }, order: { position: 'ASC' } });
  }

  slot(assignmentId: string, connectionTypeId: string): Promise<AssignmentSlot | null> {
    return this.manager.findOneBy(AssignmentSlot, { assignmentId, connectionTypeId });
  }

  /** Whether there is such a slot, which then stays until the transaction ends. */
  async lockSlot(assignmentId: string, connectionTypeId: string): Promise<boolean> {
    const rows = (await this.manager.query('select from assignment_slots where assignment_id = $1 and connection_type_id = $2 for key share', [assignmentId, connectionTypeId])) as unknown[];
    return rows.length === 1;
  }

  /** Of a person, and those that are for everybody. With null: only the latter. */
  pins(assignmentIds: readonly string[], memberId: string | null): Promise<AssignmentPin[]> {
    const assignmentId = In([...assignmentIds]);
    return this.manager.find(AssignmentPin, {
      where: [{ assignmentId, memberId: IsNull() }, ...(memberId === null ? [] : [{ assignmentId, memberId }])], order: { enrollmentId: 'ASC' },
    });
  }

  /** Throws a unique violation when the name is taken in the team. */
  async insert(teamId: string, name: string, slots: readonly NewSlot[]): Promise<Assignment> {
    const now = new Date();
    const assignment = this.manager.create(Assignment, { id: newId(), teamId, name, version: 1, createdAt: now, updatedAt: now });
    await this.manager.insert(Assignment, assignment);
    await this.#setSlots(assignment.id, slots);
    return assignment;
  }

  /** Compare and set: false when `expectedVersion` is no longer the version. Slots that go take their pins with them; the others keep theirs. */
  async update(id: string, expectedVersion: number, values: { name: string; slots: readonly NewSlot[] | null }): Promise<boolean> {
    const result = await this.manager.update(Assignment, { id, version: expectedVersion }, { name: values.name, version: expectedVersion + 1, updatedAt: new Date() });
    if (result.affected !== 1) return false;
    if (values.slots !== null) {
      await this.manager.query('delete from assignment_slots where assignment_id = $1 and not (connection_type_id = any($2::uuid[]))', [id, values.slots.map((slot) => slot.connectionTypeId)]);
      await this.#setSlots(id, values.slots);
    }
    return true;
  }

  /** Returns whether there was one; its tokens go with it. */
  async remove(id: string): Promise<boolean> {
    const result = await this.manager.delete(Assignment, { id });
    return (result.affected ?? 0) > 0;
  }

  /** Replaces the pin that this person, or everybody, had for the type. Throws a foreign key violation when the slot has gone meanwhile. */
  async pin(pin: AssignmentPin): Promise<void> {
    await this.manager.query(
      `insert into assignment_pins (assignment_id, connection_type_id, member_id, enrollment_id) values ($1, $2, $3, $4)
       on conflict (assignment_id, connection_type_id, member_id) do update set enrollment_id = excluded.enrollment_id`,
      [pin.assignmentId, pin.connectionTypeId, pin.memberId, pin.enrollmentId],
    );
  }

  /** Ends this person's, or everybody's, pin of the enrollment. Returns whether there was one. */
  async unpin(assignmentId: string, enrollmentId: string, memberId: string | null): Promise<boolean> {
    const result = await this.manager.delete(AssignmentPin, { assignmentId, enrollmentId, memberId: memberId ?? IsNull() });
    return (result.affected ?? 0) > 0;
  }

  /** Ends the pins for everybody: an enrollment is no longer shared. */
  async endCommonPins(enrollmentId: string): Promise<void> {
    await this.manager.delete(AssignmentPin, { enrollmentId, memberId: IsNull() });
  }

  async #setSlots(assignmentId: string, slots: readonly NewSlot[]): Promise<void> {
    for (const [position, slot] of slots.entries()) await this.manager.upsert(AssignmentSlot, { assignmentId, position, ...slot }, ['assignmentId', 'connectionTypeId']);
  }
}

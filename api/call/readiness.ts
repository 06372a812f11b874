import { UserFault, type NextAction } from '#core/errors.js';
import type { Assignment, AssignmentSlot } from '#core/store/entities/assignment.entity.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Repositories } from '#core/store/store.js';
import { passage, type Situation } from './passage.js';
import { Situations } from './situations.js';

/** What a call through a slot would find, as far as connections go. */
export interface SlotReadiness {
  slot: AssignmentSlot;
  type: ConnectionType;
  /** The enrollment that a call would go through; null where there is a problem. */
  enrollment: Enrollment | null;
  problem: UserFault | null;
}

/** Answers, for each slot, the question that a call asks: with the same situation, and the same function (see passage.ts). */
export class Readiness {
  readonly #situations: Situations;

  constructor(private readonly store: Repositories, private readonly link: (type: ConnectionType, label: string) => NextAction) {
    this.#situations = new Situations(store);
  }

  /** In the order of the slots. The number of statements doesn't depend on how many there are. */
  async of({ id }: Pick<Assignment, 'id'>, person: Situation['person']): Promise<SlotReadiness[]> {
    const slots = await this.store.assignments.slots([id]);
    const types = new Map((await this.store.connectionTypes.byIds(slots.map((slot) => slot.connectionTypeId))).map((type) => [type.id, type]));
    const there = slots.flatMap((slot) => {
      const type = types.get(slot.connectionTypeId);
      return type === undefined ? [] : [{ slot, type }];
    });
    const situations = await this.#situations.of({ types: there.map(({ type }) => type), person, assignmentId: id, asked: null, link: this.link });
    return there.map((one, index) => ({ ...one, ...answerOf(situations[index]!) }));
  }
}

function answerOf(situation: Situation): Pick<SlotReadiness, 'enrollment' | 'problem'> {
  try {
    return { enrollment: passage(situation).enrollment, problem: null };
  } catch (error) {
    if (error instanceof UserFault) return { enrollment: null, problem: error };
    throw error;
  }
}

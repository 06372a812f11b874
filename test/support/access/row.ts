import type { AccessWorld, Person } from './world.js';

/** What somebody gets who may: where it isn't said more exactly by {@link AccessRow.sees}. */
export const ALLOWED = 'allowed';

/** One field of the schema, asked in one way, and what each person gets: {@link ALLOWED}, null, the code of a refusal, or what `sees` makes of the answer. */
export interface AccessRow {
  /** `Type.field` of the SDL; a field may have several rows. */
  covers: string[];
  title: string;
  document: string;
  /** Called for each person anew, so that what a mutation destroys is there for the next one. */
  variables: (world: AccessWorld, person: Person) => object | Promise<object>;
  /** Input fields whose ids everybody in the team may know: left as they are when the others are replaced by unknown ones. */
  known?: string[];
  /** What is compared of the only root field's value. */
  // eslint-disable-next-line typescript/no-explicit-any -- answers have any shape
  sees?: (value: any) => unknown;
  gets: Record<Person, unknown>;
}

/** What everybody gets who is in the team, and what a stranger gets. */
export function team(members: unknown, stranger: unknown, exceptions: Partial<Record<Person, unknown>> = {}): Record<Person, unknown> {
  return { INSTALLATION: members, ADMIN: members, MANAGER: members, MEMBER: members, OWNER: members, STRANGER: stranger, ...exceptions };
}

/** ALLOWED for a role and those above it; FORBIDDEN for the others of the team; NOT_FOUND for strangers. */
export function from(role: 'MANAGER' | 'ADMIN'): Record<Person, unknown> {
  return team('FORBIDDEN', 'NOT_FOUND', { INSTALLATION: ALLOWED, ADMIN: ALLOWED, ...(role === 'MANAGER' && { MANAGER: ALLOWED }) });
}

/** ALLOWED for one person; for everybody else it is as if it weren't there. */
export function only(person: Person, others: unknown = 'NOT_FOUND'): Record<Person, unknown> {
  return { ...team(others, others), [person]: ALLOWED };
}

import { v7, validate } from 'uuid';

/** A new UUID version 7 (RFC 9562 section 5.7): sorts by time. */
export function newId(): string {
  return v7();
}

/** Whether `text` is a UUID, so that the database won't refuse it. */
export function isId(text: string): boolean {
  return validate(text);
}

/** The moment that a UUID version 7 was made, in milliseconds since 1970. */
export function idTime(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

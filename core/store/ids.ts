import { v7, validate } from 'uuid';

/** A new UUID version 7 (RFC 9562 section 5.7): sorts by time. */
export function newId(): string {
  return v7();
}

/** Whether `text` is a UUID, so that the database won't refuse it. */
export function isId(text: string): boolean {
  return validate(text);
}

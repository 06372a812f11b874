/** ECMAScript's own test for numbers that are kept as text; the compiler's library doesn't know it yet. */
const { isRawJSON } = JSON as typeof JSON & { isRawJSON(value: unknown): boolean };

/** A text that PostgreSQL takes, in `text` and in `jsonb`: without NUL, and with whole surrogate pairs only. Servers may say anything; saying it must not fail a write. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\ufffd');
}

/** A JSON value in which each text, also the names of members, is {@link storable}. Raw numbers and dates are left as they are. */
export function storableJson<T>(value: T): T {
  if (typeof value === 'string') return storable(value) as T;
  if (typeof value !== 'object' || value === null || value instanceof Date || Buffer.isBuffer(value) || isRawJSON(value)) return value;
  if (Array.isArray(value)) return value.map(storableJson) as T;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [storable(name), storableJson(member)])) as T;
}

import { isRawNumber } from '../json/raw-json.js';

/** A text that PostgreSQL takes: without NUL, and with whole surrogate pairs only. For peers' words; what a caller enters is refused instead. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\ufffd');
}

/** A JSON value that a `jsonb` column takes: every text and name in it made {@link storable}; numbers stay as they came. */
export function storableJson(value: unknown): unknown {
  if (typeof value === 'string') return storable(value);
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return value;
  if (Array.isArray(value)) return value.map(storableJson);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [storable(name), storableJson(member)]));
}

import type { Format } from 'ajv';
import { fullFormats } from 'ajv-formats/dist/formats.js';

/**
 * The formats that are checked. Two differences from what their names promise, because a refused argument is worse than one that the server refuses:
 * `date-time` and `time` may lack the zone (Python's servers describe naive times so). `url`, which no dialect has, isn't checked.
 * Formats that aren't listed mean nothing.
 */
export function checkedFormats(): Record<string, Format> {
  const { url: _, ...formats } = fullFormats as Record<string, Format>;
  return { ...formats, 'date-time': formats['iso-date-time']!, time: formats['iso-time']! };
}

/** What checking a format costs: nothing where it means nothing; `FAST` in proportion to a text that is short; `SLOW` what isn't for the main thread. */
export function formatCost(name: string): 'NONE' | 'FAST' | 'SLOW' {
  if (FAST_FORMATS.has(name)) return 'FAST';
  return Object.hasOwn(fullFormats, name) && name !== 'url' ? 'SLOW' : 'NONE';
}

const FAST_FORMATS: ReadonlySet<string> = new Set([
  'date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid', 'uri', 'uri-reference', 'json-pointer', 'int32', 'int64', 'float', 'double', 'password', 'binary',
]);

/** Longest text, in UTF-16 units, that the main thread checks for a format. */
export const MAX_FAST_FORMAT_TEXT = 4096;

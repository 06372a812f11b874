import { randomUUID } from 'node:crypto';
import { JsonFault, MAX_JSON_DEPTH } from './json-fault.js';
import { rawNumber } from './raw-json.js';
import { surveyJson } from './survey.js';

/**
 * Parses JSON without losing what a double can't hold: such numbers become {@link RawNumber}s (see `losesDigits` for which), everything else is
 * what `JSON.parse` gives. A member named `__proto__` stays an own member. Strings are exact, whatever digits they hold.
 *
 * Throws {@link JsonFault} `TOO_DEEP` beyond `maxDepth` levels, `MALFORMED` for what isn't JSON; never a stack overflow, never the text in a message.
 */
export function parseLossless(text: string, maxDepth = MAX_JSON_DEPTH): unknown {
  const { depth, lossy } = surveyJson(text);
  if (depth > maxDepth) throw new JsonFault('TOO_DEEP', `The JSON text is nested more than ${maxDepth} levels deep.`);
  if (lossy.length === 0) return parse(text);
  const mark = `${randomUUID()}:`;
  return restore(parse(markNumbers(text, lossy, mark)), mark);
}

/** Writes JSON; the counterpart of {@link parseLossless}: `RawNumber`s come out exactly as they were written. */
export function stringifyLossless(value: unknown): string {
  return JSON.stringify(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The engine's SyntaxError quotes the text, which may hold a credential: it is dropped, and not kept as the cause either.
    throw new JsonFault('MALFORMED', 'The text is not valid JSON.');
  }
}

/**
 * Turns the numbers into strings that begin with an unguessable mark, to be found again after parsing. A reviver with `context.source` would do
 * without, but takes 128 ms for 1 MB of rows where this takes 20.
 * A number where a member's name belongs stays a number, so that the parser refuses it.
 */
function markNumbers(text: string, lossy: readonly number[], mark: string): string {
  let marked = '';
  let from = 0;
  for (let index = 0; index < lossy.length; index += 2) {
    const start = lossy[index]!;
    const end = lossy[index + 1]!;
    if (nameFollows(text, end)) continue;
    marked += `${text.slice(from, start)}"${mark}${text.slice(start, end)}"`;
    from = end;
  }
  return marked + text.slice(from);
}

function nameFollows(text: string, end: number): boolean {
  let at = end;
  while (' \t\n\r'.includes(text.charAt(at)) && at < text.length) at += 1;
  return text.charAt(at) === ':';
}

/** Puts raw numbers where the marks are, in place. */
function restore(value: unknown, mark: string): unknown {
  if (typeof value === 'string') return value.startsWith(mark) ? rawNumber(value.slice(mark.length)) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const item: unknown = value[index];
      if (typeof item === 'string' || typeof item === 'object') value[index] = restore(item, mark);
    }
    return value;
  }
  const members = value as Record<string, unknown>;
  for (const name of Object.keys(members)) {
    const member = members[name];
    if (typeof member === 'string' && member.startsWith(mark)) {
      // Defined, not assigned: the member may be named __proto__.
      Object.defineProperty(members, name, { value: restore(member, mark), writable: true, enumerable: true, configurable: true });
    } else if (typeof member === 'object') {
      restore(member, mark);
    }
  }
  return value;
}

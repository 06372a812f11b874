import type { ToolCallFault } from '#core/store/entities/tool-call.entity.js';

/** Shorter texts are found everywhere. */
const SHORTEST = 8;
/** So much of a long text tells where it begins; servers quote beginnings. */
const LONGEST = 32;

/**
 * How a call failed, as its record may keep it: arguments aren't kept in clear, but servers like to quote them ("no customer 4711"). From the first text of the
 * arguments on, eight characters or more, the message is left out.
 */
export function recordedFault(fault: ToolCallFault | null, args: Record<string, unknown>): ToolCallFault | null {
  if (fault === null) return null;
  const message = withoutArguments(fault.message, args);
  return message === fault.message ? fault : { ...fault, message };
}

/** A text of which nothing is left from the first text of the arguments on. */
export function withoutArguments(message: string, args: Record<string, unknown>): string {
  let end = message.length;
  for (const text of textsIn(args)) {
    if (text.length < SHORTEST) continue;
    const start = text.slice(0, LONGEST);
    // Peers' words stand in messages as JSON.
    for (const form of [start, JSON.stringify(start).slice(1, -1)]) {
      const at = message.indexOf(form);
      if (at >= 0 && at < end) end = at;
    }
  }
  return end === message.length ? message : `${message.slice(0, end)}… (what follows repeats arguments, and isn't kept)`;
}

/** Every text among the values. Names of members are the schema's words, and an error can hardly do without them. */
function* textsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null) for (const member of Object.values(value)) yield* textsIn(member);
}

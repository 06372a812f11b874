import { parseLossless } from '#core/json/lossless.js';

/** Parses a request body without rounding numbers: those that would lose digits become `RawNumber`s. Calls back with `JsonFault`. */
export function parseJsonBody(text: string, done: (error: Error | null, body?: unknown) => void): void {
  let body: unknown;
  try {
    body = parseLossless(text);
  } catch (error) {
    done(error as Error);
    return;
  }
  done(null, body);
}

import { parseLossless } from '#core/json/lossless.js';

/** The body is compressed, or encoded otherwise, which is a 415: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16 */
export class BodyEncoded extends Error {
  override readonly name = 'BodyEncoded';
}

/** Parses a request body without rounding numbers: those that would lose digits become `RawNumber`s. Calls back with `JsonFault`, or {@link BodyEncoded}. */
export function parseJsonBody(text: string, encoding: string | undefined, done: (error: Error | null, body?: unknown) => void): void {
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return done(new BodyEncoded());
  let body: unknown;
  try {
    body = parseLossless(text);
  } catch (error) {
    done(error as Error);
    return;
  }
  done(null, body);
}

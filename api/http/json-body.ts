import { MalformedBody } from './error-answer.js';

/** Parses a request body. Calls back with {@link MalformedBody} when it is no JSON. */
export function parseJsonBody(text: string, done: (error: Error | null, body?: unknown) => void): void {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // The parser's own message quotes the body.
    done(new MalformedBody('The request body is no valid JSON.'));
    return;
  }
  done(null, body);
}

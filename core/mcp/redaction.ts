import { Scrubber } from '../tool/scrub.js';

/** A function that takes a credential's headers, and the secrets in them, out of text that a server sent back, in every form that {@link Scrubber} knows. */
export function redactor(headers: Readonly<Record<string, string>>, secrets: readonly string[]): (text: string) => string {
  const scrubber = new Scrubber([...Object.values(headers), ...secrets]);
  return (text) => scrubber.text(text);
}

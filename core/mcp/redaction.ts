import { Scrubber } from '../tool/scrub.js';

/** A function that takes a credential's values out of text that a server sent back, in every form that {@link Scrubber} knows. */
export function redactor(headers: Readonly<Record<string, string>>): (text: string) => string {
  const scrubber = new Scrubber(Object.values(headers));
  return (text) => scrubber.text(text);
}

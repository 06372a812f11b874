import { afterString } from './survey.js';

const [QUOTE, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT, COMMA] = [0x22, 0x5b, 0x5d, 0x7b, 0x7d, 0x2c];

/**
 * The members of an object's JSON text, each with the text of its value, which is not parsed: what is only passed on needs neither parsing nor writing.
 * @param text valid JSON of one object without spaces between its parts, as `canonicalJson` writes it; of anything else the result means nothing
 */
export function memberTexts(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let at = 1;
  while (text.charCodeAt(at) === QUOTE) {
    const nameEnd = afterString(text, at);
    const valueEnd = afterValue(text, nameEnd + 1);
    members.set(JSON.parse(text.slice(at, nameEnd)) as string, text.slice(nameEnd + 1, valueEnd));
    at = valueEnd + 1;
  }
  return members;
}

function afterValue(text: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = afterString(text, at);
      continue;
    }
    if (depth === 0 && (code === COMMA || code === CLOSE_OBJECT)) return at;
    if (code === OPEN_ARRAY || code === OPEN_OBJECT) depth += 1;
    else if (code === CLOSE_ARRAY || code === CLOSE_OBJECT) depth -= 1;
    at += 1;
  }
  return at;
}

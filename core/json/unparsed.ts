import { randomUUID } from 'node:crypto';
import { parseLossless } from './lossless.js';

interface Collected {
  /** What stands where such values belong. */
  mark: string | null;
  texts: string[];
}

/** A JSON value as its text: {@link UnparsedJson.stringify} writes it as it is, `JSON.stringify` parses it first. */
export class UnparsedJson {
  /** Set while `stringify` runs, which nothing can interrupt: `JSON.stringify` doesn't tell `toJSON` who asked. */
  static #collecting: Collected | null = null;

  /** @param text valid JSON */
  constructor(readonly text: string) {}

  /** `JSON.stringify`, with the texts of such values put in as they are. */
  static stringify(value: unknown): string {
    const collected: Collected = UnparsedJson.#collecting = { mark: null, texts: [] };
    let text: string;
    try {
      text = JSON.stringify(value);
    } finally {
      UnparsedJson.#collecting = null;
    }
    return collected.mark === null ? text : withTexts(text.split(`"${collected.mark}"`), collected.texts);
  }

  toJSON(): unknown {
    const collecting = UnparsedJson.#collecting;
    if (collecting === null) return parseLossless(this.text);
    collecting.texts.push(this.text);
    // Nobody who wrote a string of the value can have known it.
    return collecting.mark ??= randomUUID();
  }
}

function withTexts(parts: readonly string[], texts: readonly string[]): string {
  let whole = parts[0]!;
  for (let index = 0; index < texts.length; index += 1) whole += texts[index]! + parts[index + 1]!;
  return whole;
}

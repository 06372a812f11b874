import { randomUUID } from 'node:crypto';
import { parseLossless } from './lossless.js';

/** A JSON value as its text: {@link UnparsedJson.stringify} writes it as it is, `JSON.stringify` parses it first. */
export class UnparsedJson {
  /** Set while `stringify` runs, which nothing can interrupt: `JSON.stringify` doesn't tell `toJSON` who asked. */
  static #collecting: { mark: string; texts: string[] } | null = null;

  /** @param text valid JSON */
  constructor(readonly text: string) {}

  /** `JSON.stringify`, with the texts of such values put in as they are. */
  static stringify(value: unknown): string {
    // Nobody who wrote a string of the value can have known it.
    const { mark, texts } = (UnparsedJson.#collecting = { mark: randomUUID(), texts: [] as string[] });
    let text: string;
    try {
      text = JSON.stringify(value);
    } finally {
      UnparsedJson.#collecting = null;
    }
    return texts.length === 0 ? text : withTexts(text.split(`"${mark}"`), texts);
  }

  toJSON(): unknown {
    const collecting = UnparsedJson.#collecting;
    if (collecting === null) return parseLossless(this.text);
    collecting.texts.push(this.text);
    return collecting.mark;
  }
}

function withTexts(parts: readonly string[], texts: readonly string[]): string {
  let whole = parts[0]!;
  for (let index = 0; index < texts.length; index += 1) whole += texts[index]! + parts[index + 1]!;
  return whole;
}

/**
 * A number kept as it was written: what `JSON.rawJSON(source)` makes, and what `JSON.stringify` writes out again verbatim.
 * {@link https://tc39.es/ecma262/#sec-json.rawjson ECMA-262, JSON.rawJSON}
 */
export interface RawNumber {
  readonly rawJSON: string;
}

/** The part of ECMA-262's `JSON` that TypeScript's library doesn't declare yet; in V8 since Node 21. */
interface SourceTextJson {
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
}

const sourceText = JSON as unknown as SourceTextJson;

/** Makes a number that is written out exactly as `source`. `source` must be the text of a JSON number. */
export function rawNumber(source: string): RawNumber {
  return sourceText.rawJSON(source);
}

/** Whether a value is a number kept as its source. A parsed object with a member named `rawJSON` isn't one. */
export function isRawNumber(value: unknown): value is RawNumber {
  return sourceText.isRawJSON(value);
}

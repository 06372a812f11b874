import { RE2JS } from 're2js';
import { translatePattern } from './pattern-translation.js';

/** A compiled `pattern` of a schema. `toString` tells patterns apart (Ajv keeps them by it). */
export interface Pattern {
  test(text: string): boolean;
  toString(): string;
}

/** A pattern whose time grows with the text's length only. `size` is how many steps a character may take at most, roughly. */
export interface LinearPattern extends Pattern {
  size: number;
}

const MAX_PATTERN_LENGTH = 1000;
const MAX_PROGRAM = 20_000;

/**
 * Compiles a schema's pattern for the linear engine, with the meaning that ECMA-262 gives it
 * ({@link https://json-schema.org/draft/2020-12/json-schema-core#name-regular-expressions JSON Schema core, section 6.4}).
 * Null where it can't: look-around, back-references, patterns that are long or repeat much, and what isn't a pattern.
 */
export function linearPattern(source: string): LinearPattern | null {
  if (source.length > MAX_PATTERN_LENGTH || programEstimate(source) > MAX_PROGRAM) return null;
  const translated = translatePattern(source);
  return translated === null ? null : compileLinear(translated, source);
}

/**
 * Compiles any pattern, by the linear engine where it can, else by the backtracking one, which may take for ever: only for use where time is limited.
 * Patterns that aren't ECMA-262 but RE2 (`(?i)`, `\A`: servers in Go and Python write them) are taken as such. Throws SyntaxError, with the pattern in its message.
 */
export function anyPattern(source: string): Pattern {
  return linearPattern(source) ?? backtracking(source, 'u') ?? compileLinear(source, source) ?? looseBacktracking(source);
}

/** Upper bound of the compiled size: RE2 unrolls counted repeats, those of groups multiply, and it refuses more than 1,000 in all. */
function programEstimate(source: string): number {
  const counts = [...source.matchAll(/\{(?:\d+,)?(\d+),?\}/g)].map((repeat) => Number(repeat[1]));
  if (!source.includes('){')) return counts.reduce((sum, count) => sum + count, source.length);
  return source.length * Math.min(1000, counts.reduce((product, count) => product * Math.max(1, count), 1));
}

function compileLinear(re2: string, source: string): LinearPattern | null {
  try {
    const engine = RE2JS.compile(re2);
    return { test: (text) => engine.test(text), toString: () => source, size: engine.programSize() };
  } catch {
    return null;
  }
}

function backtracking(source: string, flags: string): Pattern | null {
  try {
    return new RegExp(source, flags);
  } catch {
    return null;
  }
}

/** Without the `u` flag, for `(?=.*\-)` and its like; but not with escapes such as `\A`, which would then silently mean the letter. */
function looseBacktracking(source: string): Pattern {
  if (/\\[^dDwWsSbBfnrtv0cxukpP\P{L}]/u.test(source.replaceAll('\\\\', ''))) throw new SyntaxError(`The pattern ${JSON.stringify(source)} has an unknown escape.`);
  return new RegExp(source);
}

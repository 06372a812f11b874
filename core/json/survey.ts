import { losesDigits, SAFE_DIGITS } from './number-source.js';

/** What one pass over a JSON text tells before it is parsed. Of a malformed text it says something, and never throws. */
export interface JsonSurvey {
  /** Deepest nesting of arrays and objects. */
  depth: number;
  /** Where the numbers stand that would lose digits as a double: start and end of each in turn. */
  lossy: number[];
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Looks over a JSON text once, in time linear to its length: strings are skipped with `indexOf`, numbers only looked at when long or written with an exponent. */
export function surveyJson(text: string): JsonSurvey {
  let depth = 0;
  let deepest = 0;
  const lossy: number[] = [];
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = afterString(text, at);
    } else if (code === 0x2d || isDigit(code)) {
      const end = afterNumber(text, at);
      if (suspicious(text, at, end) && isLossy(text.slice(at, end))) lossy.push(at, end);
      at = end;
    } else {
      if (code === 0x5b || code === 0x7b) {
        depth += 1;
        if (depth > deepest) deepest = depth;
      } else if (code === 0x5d || code === 0x7d) {
        depth -= 1;
      }
      at += 1;
    }
  }
  return { depth: deepest, lossy };
}

/** Quotes that are escaped come in crowds, where JSON stands in a string: so far each, the way is gone on foot. */
const ON_FOOT = 256;

/** Index after the string that starts at `start`; the text's length where it never ends. */
export function afterString(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1);
  while (quote >= 0 && escaped(text, quote, start)) {
    const until = Math.min(text.length, quote + ON_FOOT);
    let at = quote + 1;
    for (let code = 0; at < until && (code = text.charCodeAt(at)) !== QUOTE; at += 1) if (code === BACKSLASH) at += 1;
    if (at < until) return at + 1;
    quote = text.indexOf('"', at);
  }
  return quote < 0 ? text.length : quote + 1;
}

function escaped(text: string, quote: number, start: number): boolean {
  let before = quote - 1;
  while (before > start && text.charCodeAt(before) === BACKSLASH) before -= 1;
  return (quote - 1 - before) % 2 === 1;
}

function afterNumber(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && isNumberPart(text.charCodeAt(at))) at += 1;
  return at;
}

/** Long enough to hold more digits than a double, or with an exponent, which may overflow however short the number is. */
function suspicious(text: string, start: number, end: number): boolean {
  if (end - start > SAFE_DIGITS) return true;
  for (let at = start + 1; at < end; at += 1) if ((text.charCodeAt(at) | 0x20) === 0x65) return true;
  return false;
}

/** Only what is a number by the grammar of RFC 8259, section 6: the parser must see and refuse all else as it stands. */
function isLossy(source: string): boolean {
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(source) && losesDigits(source);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isNumberPart(code: number): boolean {
  return isDigit(code) || code === 0x2e || code === 0x2b || code === 0x2d || (code | 0x20) === 0x65;
}

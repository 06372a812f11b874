/**
 * Translates an ECMA-262 pattern (as with the `u` flag, but needless escapes of punctuation are allowed, as servers write them) into RE2's syntax with the same meaning.
 * Null for what RE2 can't say or says differently in a way that isn't covered here. An invalid pattern may be translated: RE2 then refuses it, or takes it loosely.
 * {@link https://tc39.es/ecma262/#sec-patterns ECMA-262, Patterns}, {@link https://github.com/google/re2/wiki/Syntax RE2 syntax}
 */
export function translatePattern(source: string): string | null {
  const reader = new Reader(source);
  let re2 = '';
  while (!reader.done) {
    const part = translatePart(reader);
    if (part === null) return null;
    re2 += part;
  }
  return re2;
}

/** White space is more than RE2's in ECMA-262, and a dot stops at four line ends there. */
const SPACE = '\\t\\n\\v\\f\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}';
const DOT = '[^\\n\\r\\x{2028}\\x{2029}]';
const LARGEST_REPEAT = 1000;

class Reader {
  at = 0;
  constructor(readonly source: string) {}

  get done(): boolean {
    return this.at >= this.source.length;
  }

  /** Takes what a sticky expression matches here. */
  take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.at;
    const match = expression.exec(this.source);
    if (match !== null) this.at = expression.lastIndex;
    return match;
  }

  /** Takes one code point; an empty string at the end. */
  next(): string {
    if (this.done) return '';
    const character = String.fromCodePoint(this.source.codePointAt(this.at)!);
    this.at += character.length;
    return character;
  }
}

function translatePart(reader: Reader): string | null {
  const character = reader.next();
  switch (character) {
    case '\\': {
      const escape = translateEscape(reader);
      if (escape === null) return null;
      if (escape === 'space') return `[${SPACE}]`;
      return escape === 'no space' ? `[^${SPACE}]` : escape;
    }
    case '.':
      return DOT;
    case '[':
      return translateClass(reader);
    case '(':
      return reader.take(/\?:|\?<[A-Za-z_]\w*>/y) !== null ? '(?:' : reader.source[reader.at] === '?' ? null : '(?:';
    case '{': {
      const repeat = reader.take(/(\d+)(?:,(\d*))?\}/y);
      if (repeat === null) return '\\{';
      return Number(repeat[1]) > LARGEST_REPEAT || Number(repeat[2] ?? 0) > LARGEST_REPEAT ? null : `{${repeat[0]}`;
    }
    case '*': case '+': case '?': case '^': case '$': case '|': case ')':
      return character;
    default:
      return literal(character);
  }
}

/** What follows a backslash: RE2 text that is good outside and inside a class, or the name of a set that isn't spelled alike in both. */
function translateEscape(reader: Reader): string | 'space' | 'no space' | null {
  const simple = reader.take(/[dDwWbBtnrfv]|x[0-9a-fA-F]{2}|p\{[A-Z][a-z]?\}|P\{[A-Z][a-z]?\}/y);
  if (simple !== null) return `\\${simple[0]}`;
  if (reader.take(/s/y)) return 'space';
  if (reader.take(/S/y)) return 'no space';
  if (reader.take(/0(?!\d)/y)) return '\\x00';
  const pair = reader.take(/u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})/y);
  if (pair !== null) return literal(String.fromCharCode(Number.parseInt(pair[1]!, 16), Number.parseInt(pair[2]!, 16)));
  const unit = reader.take(/u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}/y);
  if (unit !== null) {
    const code = Number.parseInt(unit[1] ?? unit[2]!, 16);
    return code > 0x10ffff ? null : literal(String.fromCodePoint(code));
  }
  const punctuation = reader.take(/[!-/:-@[-`{-~]/y);
  return punctuation === null ? null : `\\${punctuation[0]}`;
}

/** A character class, after its bracket. A dash is a range only between two single characters, otherwise itself. */
function translateClass(reader: Reader): string | null {
  let re2 = reader.take(/\^/y) ? '[^' : '[';
  let rangeStart = false;
  let empty = true;
  while (!reader.done) {
    if (reader.take(/\]/y)) return empty ? null : `${re2}]`;
    empty = false;
    if (reader.take(/-/y)) {
      // A range from or to the dash itself (`[+--]`): rare, and not worth the rules.
      if (reader.take(/-/y)) return null;
      if (!rangeStart || /\]|\\[dDwWsSpP]/y.test(reader.source.slice(reader.at, reader.at + 2))) {
        re2 += '\\-';
        rangeStart = false;
        continue;
      }
      const end = translateClassItem(reader);
      if (end === null) return null;
      re2 += `-${end}`;
      rangeStart = false;
      continue;
    }
    const isSet = /\\[dDwWsSpP]/y.test(reader.source.slice(reader.at, reader.at + 2));
    const item = translateClassItem(reader);
    if (item === null) return null;
    re2 += item;
    rangeStart = !isSet;
  }
  return null;
}

function translateClassItem(reader: Reader): string | null {
  if (!reader.take(/\\/y)) return literal(reader.next());
  if (reader.take(/b/y)) return '\\x08';
  if (/B/y.test(reader.source.slice(reader.at, reader.at + 1))) return null;
  const escape = translateEscape(reader);
  if (escape === 'space') return SPACE;
  return escape === 'no space' ? null : escape;
}

/** One character that stands for itself; null for half a surrogate pair, which RE2 doesn't know. */
function literal(character: string): string | null {
  if (!character.isWellFormed()) return null;
  return /^[!-/:-@[-`{-~]$/.test(character) ? `\\${character}` : character;
}

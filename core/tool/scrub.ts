import { JsonFault, MAX_JSON_DEPTH } from '#core/json/json-fault.js';
import { isRawNumber } from '#core/json/raw-json.js';
import { escapedForm, literalForms, secretsIn, type LiteralForm } from './secret-forms.js';

/** What stands where a secret was. */
export const REDACTED = '[redacted]';

/**
 * Takes the secrets of a credential out of what a server says. Found are, at any place in a text: the value itself (also without its scheme, `Bearer x` and `x`), its base64 and base64url in every
 * alignment, and the value with any characters percent-escaped or escaped as in JSON. Make one per credential, not per call.
 *
 * What can't be caught: values of less than eight characters; a secret that was split, reversed, hashed, encrypted, compressed, put into hexadecimal, into base64 with line breaks or twice over,
 * into another character set or case, into HTML entities; or that is told by other means than its characters. A server that wants to give a credential away can; this keeps an honest one from doing it by accident.
 */
export class Scrubber {
  readonly #literals: readonly LiteralForm[];
  readonly #secrets: readonly string[];
  #escaped: RegExp | null = null;
  readonly #shortest: number;
  readonly #numeric: boolean;
  readonly #jsonEscapes: boolean;

  /** `values` are header values or tokens, as they are sent; those of less than eight characters are not looked for. */
  constructor(values: Iterable<string>) {
    const secrets = [...new Set([...values].flatMap(secretsIn))];
    this.#secrets = secrets;
    const literals = new Map(secrets.flatMap(literalForms).map((form) => [`${form.before}${form.after}${form.text}`, form]));
    this.#literals = [...literals.values()];
    this.#shortest = Math.min(...this.#literals.map((form) => form.text.length));
    this.#jsonEscapes = secrets.some((secret) => /["\\]/.test(secret));
    this.#numeric = secrets.some((secret) => /^[-+.\deE]+$/.test(secret));
  }

  /** The text with each secret replaced; the same string if there is none. */
  text(text: string): string {
    const found = this.#find(text);
    return found.length === 0 ? text : replace(text, found);
  }

  /**
   * The JSON value with each secret replaced, in texts and in the names of members. The same value, not a copy, if there is none; else only what holds one is copied, all other parts
   * (also raw numbers) are the same. A number that spells a secret becomes the replacing text. Throws JsonFault `TOO_DEEP` beyond 256 levels.
   */
  value<T>(value: T): T {
    return (this.#literals.length === 0 ? value : this.#scrub(value, 0)) as T;
  }

  /**
   * Whether a JSON text may hold a secret: false means that {@link value} would return what is parsed from it unchanged, and needn't be called. Escapes that could hide
   * a secret (`\u…`, `\/`; any, if the secret itself has characters that JSON escapes) make it true.
   */
  mayHold(json: string): boolean {
    if (this.#literals.length === 0) return false;
    return json.includes('\\u') || json.includes('\\/') || (this.#jsonEscapes && json.includes('\\')) || this.#find(json).length > 0;
  }

  #scrub(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'number') return this.#numeric ? this.#scrubNumber(value, String(value)) : value;
    if (typeof value !== 'object' || value === null) return value;
    if (depth >= MAX_JSON_DEPTH) throw new JsonFault('TOO_DEEP', `The value is nested more than ${MAX_JSON_DEPTH} levels deep.`);
    if (Array.isArray(value)) return this.#scrubArray(value, depth);
    if (isRawNumber(value)) return this.#numeric ? this.#scrubNumber(value, value.rawJSON) : value;
    return this.#scrubObject(value as Record<string, unknown>, depth);
  }

  #scrubNumber(value: unknown, source: string): unknown {
    return this.text(source) === source ? value : REDACTED;
  }

  #scrubArray(items: readonly unknown[], depth: number): unknown {
    let copy: unknown[] | null = null;
    for (let index = 0; index < items.length; index += 1) {
      const scrubbed = this.#scrub(items[index], depth + 1);
      if (scrubbed !== items[index]) (copy ??= [...items])[index] = scrubbed;
    }
    return copy ?? items;
  }

  #scrubObject(members: Record<string, unknown>, depth: number): unknown {
    let changed = false;
    const entries = Object.keys(members).map((name): [string, unknown] => {
      const scrubbed = this.#scrub(members[name], depth + 1);
      const plain = this.text(name);
      if (scrubbed !== members[name] || plain !== name) changed = true;
      return [plain, scrubbed];
    });
    return changed ? fromEntries(entries) : members;
  }

  #find(text: string): Range[] {
    const found: Range[] = [];
    if (text.length < this.#shortest) return found;
    for (const form of this.#literals) findLiteral(text, form, found);
    // Only with these characters can anything be escaped. A `+` for a space needs no percent sign, but is looked for only beside one.
    if (text.includes('%') || text.includes('\\')) {
      this.#escaped ??= new RegExp(this.#secrets.map(escapedForm).join('|'), 'g');
      for (const match of text.matchAll(this.#escaped)) found.push({ start: match.index, end: match.index + match[0].length });
    }
    return found;
  }
}

interface Range {
  start: number;
  end: number;
}

function findLiteral(text: string, form: LiteralForm, found: Range[]): void {
  for (let at = text.indexOf(form.text); at >= 0; at = text.indexOf(form.text, at + 1)) {
    let start = at;
    let end = at + form.text.length;
    if (form.before > 0 && isBase64(text.charCodeAt(start - 1))) start -= 1;
    if (form.after > 0 && isBase64(text.charCodeAt(end))) {
      end += 1;
      while (text[end] === '=' && end < at + form.text.length + 3) end += 1;
    }
    found.push({ start, end });
  }
}

function isBase64(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code === 0x2b || code === 0x2f || code === 0x2d || code === 0x5f;
}

/** Replaces ranges, those that touch or overlap as one. */
function replace(text: string, found: Range[]): string {
  found.sort((one, other) => one.start - other.start);
  let result = '';
  let from = 0;
  let index = 0;
  while (index < found.length) {
    const { start } = found[index]!;
    let end = found[index]!.end;
    for (index += 1; index < found.length && found[index]!.start <= end; index += 1) end = Math.max(end, found[index]!.end);
    result += text.slice(from, start) + REDACTED;
    from = end;
  }
  return result + text.slice(from);
}

/** Names that became alike are told apart by a number, so that no member is lost. */
function fromEntries(entries: readonly [string, unknown][]): Record<string, unknown> {
  const taken = new Set<string>();
  return Object.fromEntries(entries.map(([name, value]) => {
    let free = name;
    for (let count = 2; taken.has(free); count += 1) free = `${name} ${count}`;
    taken.add(free);
    return [free, value];
  }));
}

/** A text to look for, and how many characters of base64 around it also tell something of the secret. */
export interface LiteralForm {
  text: string;
  /** Characters before and after that hold bits of the secret together with bits of its neighbours. */
  before: number;
  after: number;
}

/** The shortest secret that is looked for: shorter ones would be found everywhere. */
export const MIN_SECRET = 8;

/**
 * The secrets that a credential's value holds: the value; what follows a scheme (`Bearer x` → `x`); and of `Basic x` the user and password that it encodes, and the password.
 * Those of less than eight characters are left out.
 */
export function secretsIn(value: string): string[] {
  const secrets = [value];
  const scheme = /^([A-Za-z][A-Za-z0-9-]*)[ \t]+(.+)$/.exec(value.trim());
  if (scheme !== null) {
    secrets.push(scheme[2]!.trim());
    if (scheme[1]!.toLowerCase() === 'basic') {
      const pair = Buffer.from(scheme[2]!, 'base64').toString('utf8');
      secrets.push(pair, pair.slice(pair.indexOf(':') + 1));
    }
  }
  return secrets.filter((secret) => secret.length >= MIN_SECRET);
}

/**
 * The secret as it is, and the part of its base64 and base64url that doesn't depend on what stands around it, for each of the three ways in which its bytes can fall on groups of three.
 * {@link https://www.rfc-editor.org/rfc/rfc4648#section-4 RFC 4648, sections 4 and 5}
 */
export function literalForms(secret: string): LiteralForm[] {
  const forms: LiteralForm[] = [{ text: secret, before: 0, after: 0 }];
  const bytes = Buffer.from(secret, 'utf8');
  for (let offset = 0; offset < 3; offset += 1) {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64').replace(/=+$/, '');
    const start = [0, 2, 3][offset]!;
    const after = (offset + bytes.length) % 3 === 0 ? 0 : 1;
    const form = { text: encoded.slice(start, encoded.length - after), before: offset === 0 ? 0 : 1, after };
    forms.push(form);
    const urlSafe = form.text.replaceAll('+', '-').replaceAll('/', '_');
    if (urlSafe !== form.text) forms.push({ ...form, text: urlSafe });
  }
  return forms;
}

/**
 * An expression for the secret with any of its characters percent-escaped (UTF-8, {@link https://www.rfc-editor.org/rfc/rfc3986#section-2.1 RFC 3986, section 2.1}, and `+` for a space) or escaped as in JSON strings, also
 * twice or three times over ({@link https://www.rfc-editor.org/rfc/rfc8259#section-7 RFC 8259, section 7}), in any mixture (backslashes that follow each other: all in one way). What follows a character's form never is another form of it,
 * so that looking for it doesn't backtrack; runs of backslashes are bounded.
 */
export function escapedForm(secret: string): string {
  return (secret.match(/\\+|[^\\]/gsu) ?? []).map((part) => (part.startsWith('\\') ? backslashes(part.length) : characterForms(part))).join('');
}

function characterForms(character: string): string {
  const forms = [quote(character), percent(character), unicode(character)];
  if (character === ' ') forms.push('\\+');
  const short = { '"': '"', '/': '/', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't' }[character];
  if (short !== undefined) forms.push(`\\\\{1,7}${short}`);
  return `(?:${forms.join('|')})`;
}

/** Each level of JSON doubles them. */
function backslashes(count: number): string {
  const escaped = `(?:${percent('\\')}|${unicode('\\')}){${count}}`;
  return `(?:${escaped}|\\\\{${count}${count > 8 ? '' : `,${count * 4}`}})`;
}

function percent(character: string): string {
  return [...Buffer.from(character, 'utf8')].map((byte) => `%${hex(byte, 2)}`).join('');
}

function unicode(character: string): string {
  return Array.from({ length: character.length }, (_, index) => `\\\\{1,4}u${hex(character.charCodeAt(index), 4)}`).join('');
}

/** Hexadecimal digits in either case. */
function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0').replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

function quote(character: string): string {
  return /[$()*+./?[\]^{|}-]/.test(character) ? `\\${character}` : character;
}

import fc from 'fast-check';
import { parseLossless } from '#core/json/lossless.js';
import { REDACTED, Scrubber } from '#core/tool/scrub.js';

const SECRET = 'sk-"té+st/\\k€y 😀=1';

function everyCharacter(text: string, escape: (unit: string) => string): string {
  return text.split('').map(escape).join('');
}

const unicodeEscape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
const inner = (text: string) => JSON.stringify(text).slice(1, -1);

describe('Scrubber.text', () => {
  test.each([
    ['as it is', SECRET],
    ['percent-escaped', encodeURIComponent(SECRET)],
    ['percent-escaped with lower-case digits', encodeURIComponent(SECRET).replace(/%../g, (escape) => escape.toLowerCase())],
    ['percent-escaped loosely', encodeURI(SECRET)],
    ['as a form', new URLSearchParams({ k: SECRET }).toString().slice(2)],
    ['percent-escaped byte by byte', [...Buffer.from(SECRET)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')],
    ['in a JSON string', inner(SECRET)],
    ['in a JSON string in a JSON string', inner(inner(SECRET))],
    ['in a JSON string in ASCII', inner(SECRET).replace(/[^ -~]/g, unicodeEscape)],
    ['in a JSON string with escaped slashes', inner(SECRET).replaceAll('/', '\\/')],
    ['in a JSON string with everything escaped', everyCharacter(SECRET, unicodeEscape)],
    ['in a JSON string with everything escaped in upper case', everyCharacter(SECRET, (unit) => unicodeEscape(unit).toUpperCase().replace('U', 'u'))],
    ['in JSON twice, escaped in ASCII', inner(inner(SECRET).replace(/[^ -~]/g, unicodeEscape))],
    ['base64', Buffer.from(SECRET).toString('base64')],
    ['base64url', Buffer.from(SECRET).toString('base64url')],
  ])('finds the secret %s', (_how, form) => {
    const scrubber = new Scrubber([SECRET]);
    expect(scrubber.text(form)).toBe(REDACTED);
    expect(scrubber.text(`key: ${form}, and ${form}!`)).toBe(`key: ${REDACTED}, and ${REDACTED}!`);
  });

  test('finds any secret in any mixture of escapes', () => {
    const escape = fc.constantFrom<(unit: string) => string>((unit) => unit, unicodeEscape, (unit) => [...Buffer.from(unit)].map((byte) => `%${byte.toString(16)}`).join(''), inner);
    const characters = fc.array(fc.tuple(fc.string({ unit: fc.constantFrom(...'abcAB01%"/+ =-_.~$^*(){}[]|?é€'), minLength: 1, maxLength: 1 }), escape), { minLength: 8, maxLength: 40 });
    fc.assert(fc.property(characters, fc.string(), (parts, around) => {
      const secret = parts.map(([unit]) => unit).join('');
      const form = parts.map(([unit, apply]) => apply(unit)).join('');
      expect(new Scrubber([secret]).text(`${around}${form}${around}`)).toContain(REDACTED);
    }), { numRuns: 500 });
  });

  test('finds base64 in every alignment, and leaves no bit of the secret that stands alone', () => {
    fc.assert(fc.property(fc.string({ minLength: 8, maxLength: 60 }), fc.uint8Array({ maxLength: 5 }), fc.uint8Array({ maxLength: 5 }), fc.constantFrom<BufferEncoding>('base64', 'base64url'), (secret, before, after, encoding) => {
      const encoded = Buffer.concat([before, Buffer.from(secret), after]).toString(encoding);
      const scrubbed = new Scrubber([secret]).text(encoded);
      expect(scrubbed).toContain(REDACTED);
      const [head = '', tail = ''] = scrubbed.split(REDACTED);
      expect(encoded.startsWith(head) && encoded.endsWith(tail)).toBe(true);
      expect(head.length).toBeLessThanOrEqual(Math.floor((before.length * 8) / 6));
      expect(tail.replace(/=+$/, '').length).toBeLessThanOrEqual(Math.ceil((after.length * 8) / 6));
    }), { numRuns: 500 });
  });

  test('knows a value with and without its scheme, and what Basic encodes', () => {
    const scrubber = new Scrubber(['Bearer abcdefgh12345678', `Basic ${Buffer.from('user:longpassword').toString('base64')}`]);
    expect(scrubber.text('Bearer abcdefgh12345678')).toBe(REDACTED);
    expect(scrubber.text('token=abcdefgh12345678;')).toBe(`token=${REDACTED};`);
    expect(scrubber.text('user:longpassword or longpassword')).toBe(`${REDACTED} or ${REDACTED}`);
    expect(scrubber.text('Bearer of news')).toBe('Bearer of news');
  });

  test('replaces secrets that overlap as one', () => {
    expect(new Scrubber(['AAAABBBB', 'BBBBCCCC']).text('x AAAABBBBCCCC y')).toBe(`x ${REDACTED} y`);
    expect(new Scrubber(['aaaaaaaa']).text('a'.repeat(20))).toBe(REDACTED);
  });

  test('leaves texts without a secret alone, and short values too', () => {
    const scrubber = new Scrubber(['secret-value', 'short']);
    for (const text of ['', 'short', 'secret-valu', '100% \\u0041 "x"', 'a'.repeat(1000)]) expect(scrubber.text(text)).toBe(text);
    expect(new Scrubber([]).text('anything')).toBe('anything');
    expect(new Scrubber(['short']).value({ a: 'short' })).toEqual({ a: 'short' });
  });

  test('takes hostile texts and secrets in its stride', () => {
    const scrubber = new Scrubber(['\\'.repeat(9), '\\a\\a\\a\\a\\a', '%25%25%25%25', '""""""""""', '/////////']);
    for (const unit of ['\\', '%', '%25', '%2', '\\u', '\\u005', '"', '\\"', '\\\\a', '/']) expect(scrubber.text(unit.repeat(100_000)).length).toBeGreaterThan(0);
  });
});

describe('Scrubber.value', () => {
  test('returns the same value when there is nothing to find', () => {
    const value = parseLossless('{"a":[1,12345678901234567890,{"b":"text"}],"__proto__":null}');
    expect(new Scrubber(['secret-value']).value(value)).toBe(value);
  });

  test('scrubs names as well as texts, and leaves all else as it was', () => {
    const value = parseLossless('{"keep":{"id":12345678901234567890},"secret-value":1,"x secret-value":2,"list":["secret-value",{"deep":["a secret-value"]},3],"__proto__":{"t":"secret-value"}}') as Record<string, unknown>;
    const before = JSON.stringify(value);
    const scrubbed = new Scrubber(['secret-value']).value(value);
    expect(JSON.stringify(scrubbed)).toBe(before.replaceAll('secret-value', REDACTED));
    expect(scrubbed['keep']).toBe(value['keep']);
    expect(JSON.stringify(value)).toBe(before);
  });

  test('loses no member when names become alike', () => {
    expect(new Scrubber(['secret-1', 'secret-2']).value({ 'secret-1': 1, 'secret-2': 2 })).toEqual({ [REDACTED]: 1, [`${REDACTED} 2`]: 2 });
  });

  test('finds a secret that is a number', () => {
    const scrubber = new Scrubber(['12345678901234567890', '87654321']);
    expect(scrubber.value(parseLossless('{"a":12345678901234567890,"b":87654321,"c":5,"d":99999999999999999999}'))).toMatchObject({ a: REDACTED, b: REDACTED, c: 5 });
    expect(JSON.stringify(scrubber.value(parseLossless('[99999999999999999999]')))).toBe('[99999999999999999999]');
  });

  test('refuses what is nested too deeply with a typed fault', () => {
    let value: unknown = 'x';
    for (let level = 0; level < 100_000; level += 1) value = [value];
    expect(() => new Scrubber(['secret-value']).value(value)).toThrow(expect.objectContaining({ code: 'TOO_DEEP' }) as Error);
  });
});

describe('Scrubber.mayHold', () => {
  test('is never false for a JSON text whose value holds a secret', () => {
    const secret = fc.string({ unit: fc.constantFrom(...'abcd%\\"/+ é'), minLength: 8, maxLength: 12 });
    const form = fc.constantFrom<(text: string) => string>((text) => text, encodeURIComponent, inner, (text) => Buffer.from(`x${text}`).toString('base64'), (text) => inner(inner(text)));
    const write = fc.constantFrom<(text: string) => string>((text) => text, (text) => text.replace(/[^ -~]/g, unicodeEscape), (text) => text.replaceAll('/', '\\/'), (text) => text.replaceAll('+', '\\u002b'));
    fc.assert(fc.property(secret, form, write, (text, apply, print) => {
      const scrubber = new Scrubber([text]);
      const json = print(JSON.stringify({ [`${apply(text)} as name`]: [apply(text)] }));
      const value = parseLossless(json);
      if (!scrubber.mayHold(json)) expect(scrubber.value(value)).toBe(value);
    }), { numRuns: 2000 });
  });

  test('is false for what is plain', () => {
    expect(new Scrubber(['secret-value']).mayHold('{"a":"line\\n\\"quoted\\" 100%"}')).toBe(false);
  });
});

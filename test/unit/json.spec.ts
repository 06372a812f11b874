import fc from 'fast-check';
import { canonicalJson } from '#core/json/canonical.js';
import { JsonFault } from '#core/json/json-fault.js';
import { parseLossless, stringifyLossless } from '#core/json/lossless.js';
import { memberTexts } from '#core/json/members.js';
import { isRawNumber, rawNumber } from '#core/json/raw-json.js';
import { surveyJson } from '#core/json/survey.js';
import { UnparsedJson } from '#core/json/unparsed.js';

/** Whether `parseLossless` keeps a number of the text as its source. */
const keepsSource = (text: string): boolean => surveyJson(text).lossy.length > 0;

function faultOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('parseLossless', () => {
  test.each([
    '9007199254740992', '-9007199254740992', '12345678901234567890', '10000000000000000000000', '12345678901234567.89',
    '1e400', '-1e400', '1e-400', '0.10000000000000000001', '123456789012345678e2',
  ])('keeps %s as it was written', (source) => {
    const value = parseLossless(`{"n":[${source}]}`) as { n: unknown[] };
    expect(isRawNumber(value.n[0])).toBe(true);
    expect(stringifyLossless(value)).toBe(`{"n":[${source}]}`);
    expect(keepsSource(source)).toBe(true);
  });

  test.each(['0', '-0', '9007199254740991', '-9007199254740991', '0.1', '0.30000000000000004', '1.5e300', '1e21', '100000000000000.000000', '5e-324', '0e999', '1E5'])(
    'gives a plain number for %s, because a double holds it', (source) => {
      expect(parseLossless(`[${source}]`)).toEqual([Number(source)]);
      expect(keepsSource(`[${source}]`)).toBe(false);
    });

  test('leaves digits inside strings and member names alone', () => {
    const text = String.raw`{"12345678901234567890":"12345678901234567890","q\"12345678901234567890":"\\","n":1}`;
    expect(keepsSource(text)).toBe(false);
    expect(parseLossless(text)).toEqual(JSON.parse(text));
    const mixed = String.raw`{"a":"\"12345678901234567890","b":12345678901234567890}`;
    expect(stringifyLossless(parseLossless(mixed))).toBe(mixed);
  });

  test('keeps a member named __proto__ as an own member, with and without raw numbers', () => {
    for (const n of ['1', '12345678901234567890']) {
      const value = parseLossless(`{"__proto__":{"polluted":${n}}}`) as object;
      expect(Object.getOwnPropertyNames(value)).toEqual(['__proto__']);
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(stringifyLossless(value)).toBe(`{"__proto__":{"polluted":${n}}}`);
    }
  });

  test('a parsed object with a member named rawJSON is no raw number', () => {
    expect(isRawNumber(parseLossless('{"rawJSON":"1"}'))).toBe(false);
  });

  test('refuses deep nesting with a typed fault, brackets in strings not counted', () => {
    const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    expect(faultOf(() => parseLossless(deep(1_000_000)))).toMatchObject({ code: 'TOO_DEEP' });
    expect(faultOf(() => parseLossless(deep(257)))).toMatchObject({ code: 'TOO_DEEP' });
    expect(faultOf(() => parseLossless(deep(256)))).toBeUndefined();
    expect(parseLossless(JSON.stringify(deep(1000)))).toBe(deep(1000));
  });

  test.each(['', '{', '{"a":1,}', '01', '1e', '-', '"abc', '"abc\\', '[1 2]', 'nul', '\u{feff}1', '12345678901234567890x', '{12345678901234567890:1}',
    '{12345678901234567890\n :1}', '[012345678901234567890]', '[-]', '[1234567890123456789.]', '["12345678901234567890" 12345678901234567890]'])('refuses %j without quoting it', (text) => {
    const fault = faultOf(() => parseLossless(text)) as JsonFault;
    expect(fault).toBeInstanceOf(JsonFault);
    expect(fault.code).toBe('MALFORMED');
    expect(fault.message).toBe('The text is not valid JSON.');
    expect(fault.cause).toBeUndefined();
  });

  test('is JSON.parse for every text that JSON.stringify writes', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      if (!keepsSource(text)) expect(parseLossless(text)).toEqual(JSON.parse(text));
      expect(stringifyLossless(parseLossless(text))).toBe(text);
    }));
  });

  test('gives back every integer, of any length, anywhere', () => {
    fc.assert(fc.property(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), fc.string(), (integer, name) => {
      const text = `{${JSON.stringify(name)}:[${integer},"${integer}"]}`;
      expect(stringifyLossless(parseLossless(text))).toBe(text);
    }));
  });

  test('takes and refuses the same texts as JSON.parse, whatever was done to them', () => {
    const pieces = fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', ' ', '-', '+', '.', 'e', '0', '1', '12345678901234567890', '"a"', 'null', '1e999', '\n');
    fc.assert(fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      for (const text of [parts.join(''), `{"a":${parts.join('')}}`, `[${parts.join('')}]`, `{${parts.join('')}:1}`]) {
        const expected = faultOf(() => JSON.parse(text)) === undefined;
        expect(faultOf(() => parseLossless(text)) === undefined).toBe(expected);
        if (expected) expect(stringifyLossless(parseLossless(text)).replace(/\s/g, '').length).toBeGreaterThan(0);
      }
    }), { numRuns: 3000 });
  });

  test('never rounds a decimal to another number unnoticed', () => {
    const digits = fc.stringMatching(/^(0|[1-9][0-9]{0,24})\.[0-9]{1,24}$/);
    fc.assert(fc.property(digits, fc.integer({ min: -340, max: 340 }), (mantissa, exponent) => {
      const source = `${mantissa}e${exponent}`;
      const value = parseLossless(source);
      if (isRawNumber(value)) expect(value.rawJSON).toBe(source);
      else expect(exactDecimal(String(value))).toEqual(exactDecimal(source));
    }));
  });
});

/** A second, slower way to compare decimals than the one under test: both scaled to the same power of ten. */
function exactDecimal(source: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(source);
  const fraction = match?.[3] ?? '';
  const scaled = BigInt(`${match?.[2]}${fraction}`) * 10n ** BigInt(800 + Number(match?.[4] ?? 0) - fraction.length);
  return match?.[1] === '-' ? -scaled : scaled;
}

describe('canonicalJson', () => {
  test('writes the example of RFC 8785, section 3.2.3 and 3.2.2', () => {
    const value = JSON.parse('{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}');
    expect(canonicalJson(value)).toBe('{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}');
  });

  test('sorts member names by UTF-16 code units', () => {
    const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 };
    expect(Object.keys(JSON.parse(canonicalJson(value)) as object)).toContain('\r');
    expect(canonicalJson(value)).toBe('{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}');
  });

  test('does not depend on the order of members, and keeps raw numbers verbatim', () => {
    expect(canonicalJson({ b: rawNumber('12345678901234567890'), a: [-0, { d: 1, c: undefined }] })).toBe('{"a":[0,{"d":1}],"b":12345678901234567890}');
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      expect(canonicalJson(Object.fromEntries(Object.entries(value).reverse()))).toBe(canonicalJson(value));
      expect(canonicalJson(JSON.parse(canonicalJson(value)))).toBe(canonicalJson(value));
    }));
  });

  test.each([[Number.NaN], [Infinity], [() => 1], [10n], [undefined], [[undefined]], [Symbol('s')]])('refuses %p', (value) => {
    expect(faultOf(() => canonicalJson(value))).toMatchObject({ code: 'NOT_JSON' });
  });

  test('refuses what is too deep or circular with a typed fault', () => {
    const circular: unknown[] = [];
    circular.push(circular);
    expect(faultOf(() => canonicalJson(circular))).toMatchObject({ code: 'TOO_DEEP' });
  });
});

describe('memberTexts', () => {
  test('gives the text of each member of an object, whatever is in it', () => {
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const members = memberTexts(canonicalJson(value));
      expect([...members.keys()].toSorted()).toEqual(Object.keys(value).toSorted());
      for (const [name, text] of members) expect(text).toBe(canonicalJson(value[name]));
    }));
  });
});

describe('unparsed JSON', () => {
  test('is written as it is wherever it stands, and numbers keep their digits', () => {
    fc.assert(fc.property(fc.array(fc.jsonValue(), { maxLength: 5 }), fc.jsonValue(), (texts, around) => {
      const unparsed = texts.map((value) => new UnparsedJson(JSON.stringify(value)));
      expect(JSON.parse(UnparsedJson.stringify({ before: around, unparsed, after: [around] }))).toEqual(JSON.parse(JSON.stringify({ before: around, unparsed: texts, after: [around] })));
    }));
    expect(UnparsedJson.stringify([new UnparsedJson('{"n":12345678901234567890}')])).toBe('[{"n":12345678901234567890}]');
  });

  test('is parsed for who writes it without knowing of it', () => {
    expect(JSON.stringify({ a: new UnparsedJson('{"n":[1,12345678901234567890]}') })).toBe('{"a":{"n":[1,12345678901234567890]}}');
  });

  test('is parsed again after a value that could not be written', () => {
    const circular: unknown[] = [new UnparsedJson('1')];
    circular.push(circular);
    expect(() => UnparsedJson.stringify(circular)).toThrow();
    expect(JSON.stringify(new UnparsedJson('[2]'))).toBe('[2]');
  });
});

import { describe, expect, it } from '@jest/globals';
import { parseValue } from 'graphql';
import { parseLossless } from '#core/json/lossless.js';
import { DateTimeScalar, JsonObjectScalar, JsonScalar } from '#api/graphql/scalars.js';

describe('JSON', () => {
  it.each(['null', 'true', '"text"', '-1.5', '9007199254740991', '[]', '{"a":[{"b":null}]}', '{"__proto__":{"x":1},"constructor":2}'])('takes and gives %s unchanged', (text) => {
    const value = JsonScalar.parseValue(parseLossless(text));
    expect(JSON.stringify(JsonScalar.serialize(value))).toBe(text);
  });

  it.each(['9007199254740992', '-9007199254740993', '[1,{"a":123456789012345678901234567890}]', '1e400', '0.12345678901234567890123'])('refuses to round %s', (text) => {
    expect(() => JsonScalar.parseValue(parseLossless(text))).toThrow('send it as a string');
    if (!text.startsWith('[')) expect(() => JsonScalar.parseLiteral(parseValue(text))).toThrow('send it as a string');
  });

  it('writes numbers that a server sent exactly as they came', () => {
    expect(JSON.stringify({ result: JsonScalar.serialize(parseLossless('{"id":12345678901234567890}')) })).toBe('{"result":{"id":12345678901234567890}}');
  });

  it('reads literals, with variables in them', () => {
    const literal = parseValue('{ a: [1, -2.5, "x", true, null], __proto__: { b: $v } }');
    expect(JSON.stringify(JsonScalar.parseLiteral(literal, { v: 'variable' }))).toBe('{"a":[1,-2.5,"x",true,null],"__proto__":{"b":"variable"}}');
    expect(() => JsonScalar.parseLiteral(parseValue('[bare]'))).toThrow('quotes');
  });

  it('refuses what is nested without end', () => {
    expect(() => JsonScalar.parseValue(JSON.parse('['.repeat(5000) + ']'.repeat(5000)))).toThrow('levels deep');
  });
});

describe('JSONObject', () => {
  it('takes objects only', () => {
    expect(JsonObjectScalar.parseValue({ a: 1 })).toEqual({ a: 1 });
    for (const value of [null, [], 'x', 1, parseLossless('12345678901234567890')]) expect(() => JsonObjectScalar.parseValue(value)).toThrow('object');
    expect(() => JsonObjectScalar.parseLiteral(parseValue('[1]'))).toThrow('object');
    expect(() => JsonObjectScalar.serialize([1])).toThrow('object');
  });
});

describe('DateTime', () => {
  it('answers in UTC with milliseconds', () => {
    expect(DateTimeScalar.serialize(new Date('2026-11-22T22:58:00+02:00'))).toBe('2026-11-22T20:58:00.000Z');
    expect(() => DateTimeScalar.serialize('2026-11-22')).toThrow('no Date');
    expect(() => DateTimeScalar.serialize(new Date(Number.NaN))).toThrow();
  });

  it('takes moments with an offset', () => {
    for (const [text, utc] of [
      ['2026-11-22T20:58:00Z', '2026-11-22T20:58:00.000Z'], ['2026-11-22T20:58:00.123456789+05:30', '2026-11-22T15:28:00.123Z'], ['2028-02-29T00:00:00-00:00', '2028-02-29T00:00:00.000Z'],
    ] as const) expect(DateTimeScalar.parseValue(text).toISOString()).toBe(utc);
  });

  it.each(['2026-11-22', '2026-11-22T20:58:00', '2026-02-29T00:00:00Z', '2026-13-01T00:00:00Z', '2026-01-01T25:00:00Z', '2026-11-22 20:58:00Z', '1700000000', 1700000000, null, {}, ' 2026-11-22T20:58:00Z'])(
    'refuses %p with an example of what it takes', (value) => {
      expect(() => DateTimeScalar.parseValue(value)).toThrow('Expected a moment like');
    });
});

import fc from 'fast-check';
import { getNullableType, isEnumType, isInputObjectType, isListType, isNonNullType, type GraphQLInputObjectType, type GraphQLInputType } from 'graphql';

/** A value that somebody might send, and what to call it in a report. */
export interface HostileValue {
  name: string;
  value: unknown;
}

const named = (values: Record<string, unknown>): HostileValue[] => Object.entries(values).map(([name, value]) => ({ name, value }));

const STRINGS = named({
  'empty': '', 'spaces': '   ', 'NUL': '\u0000', 'a NUL inside': 'a\u0000b', 'a lone high surrogate': 'a\ud800b', 'a lone low surrogate': '\udc00', 'CR LF': 'a\r\nX-Injected: yes', 'a tab': 'a\tb', 'DEL': '\u007f', 'C1': '\u0085',
  'not ASCII': 'schlüssel-ключ-鍵', 'an emoji': '🗝️', 'right to left': '\u202eabc', 'long': 'x'.repeat(10_000), 'long, not ASCII': '鍵'.repeat(9_000), 'a quote': `'"\\;--`, '__proto__': '__proto__', 'constructor': 'constructor',
  'stars': '*a*'.repeat(40), 'a URL': 'http://user:pass@127.0.0.1:1/#x', 'a script': 'javascript:alert(1)', 'half a URL': 'http://', 'a NUL in a URL': 'http://127.0.0.1:1/\u0000',
});

const IDS = named({
  'empty': '', 'NUL': '\u0000', 'a lone surrogate': '\ud800', 'garbage': '!!!', 'a bare UUID': '018f0000-0000-7000-8000-000000000000', 'long': 'A'.repeat(10_000), 'a number': 7, 'a negative number': -1,
  'no UUID': base64('ConnectionType:42'), 'a NUL in it': base64('ConnectionType:\u0000'), 'an unknown type': base64('Secret:018f0000-0000-7000-8000-000000000000'), 'a colon too many': base64('ConnectionType:018f0000-0000-7000-8000-000000000000:1'),
  ...Object.fromEntries(['Team', 'Member', 'Token', 'ConnectionType', 'Tool', 'Enrollment', 'ToolCall', 'AuditEvent'].map((type) => [`an unknown ${type}`, base64(`${type}:018f0000-0000-7000-8000-000000000000`)])),
});

const INTS = named({ 'zero': 0, 'minus one': -1, 'the least': -2_147_483_648, 'the most': 2_147_483_647, 'too much': 2_147_483_648, 'a fraction': 1.5, 'huge': 1e300, 'a string': '5', 'a boolean': true });

const JSONS = named({
  'empty': {}, 'a list': [], 'a string': 'x', 'a number': 1, 'NUL in it': { a: '\u0000', '\u0000': 1 }, 'a lone surrogate in it': { a: '\ud800', '\udc00': 1 },
  // oxlint-disable-next-line unicorn/no-thenable -- a caller may send one
  '__proto__': JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}') as object, 'hasOwnProperty': { hasOwnProperty: 1, toString: 2, valueOf: 3, toJSON: 'x', then: 'x', rawJSON: '1' },
  'deep': JSON.parse(`${'{"a":'.repeat(99)}1${'}'.repeat(99)}`) as object, 'too deep': JSON.parse(`${'{"a":'.repeat(150)}1${'}'.repeat(150)}`) as object, 'a wide one': Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`k${index}`, index])),
  'a long text': { text: 'x'.repeat(500_000) },
});

const MOMENTS = named({ 'empty': '', 'no moment': 'tomorrow', 'past': '1970-01-01T00:00:00Z', 'far': '9999-12-31T23:59:59Z', 'before Christ': '-000001-01-01T00:00:00Z', 'the 30th of February': '2027-02-30T00:00:00Z', 'no offset': '2027-01-01T00:00:00', 'a number': 5, 'NUL': '2027-01-01T00:00:00Z\u0000' });

const BOOLEANS = named({ 'true': true, 'false': false, 'a string': 'true', 'a number': 1 });

/** One place in an input, and what is put there. */
export interface BadPlace {
  /** As it reads in a report: `headers.0.name: NUL`. */
  name: string;
  path: readonly (string | number)[];
  /** Undefined: the place is left out. */
  value: unknown;
}

/** For every place that an input type has: null, absence, and each hostile value of its kind. */
export function badPlaces(outer: GraphQLInputType, path: readonly (string | number)[] = []): BadPlace[] {
  const at = (name: string, value: unknown): BadPlace => ({ name: `${path.join('.')}: ${name}`, path, value });
  const optional = isNonNullType(outer) ? [] : [at('null', null)];
  const type = getNullableType(outer);
  if (isListType(type)) {
    const item = example(type.ofType as GraphQLInputType);
    const many = Array.from({ length: 1_000 }, () => item);
    return [...optional, at('no items', []), at('many items', many), at('an item twice', [item, item]), ...badPlaces(type.ofType as GraphQLInputType, [...path, 0])];
  }
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields());
    return [...optional, at('an empty object', {}), at('an unknown field', { noSuchField: 1 }), ...fields.flatMap((field) => [
      { name: `${[...path, field.name].join('.')}: absent`, path: [...path, field.name], value: undefined }, ...badPlaces(field.type, [...path, field.name]),
    ])];
  }
  return [...optional, ...leaves(type.name, isEnumType(type) ? type.getValues().map((one) => one.name) : null).map(({ name, value }) => at(name, value))];
}

/** A copy of a good input with one bad place in it; what leads there is made up where the good input has nothing. */
export function withBadPlace(good: unknown, type: GraphQLInputType, { path, value }: Pick<BadPlace, 'path' | 'value'>): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  const below = getNullableType(type);
  if (isListType(below)) {
    const items = Array.isArray(good) && good.length > 0 ? [...(good as unknown[])] : [example(below.ofType as GraphQLInputType)];
    items[Number(step)] = withBadPlace(items[Number(step)], below.ofType as GraphQLInputType, { path: rest, value });
    return items;
  }
  const whole = (good ?? example(below)) as Record<string, unknown>;
  const field = (below as GraphQLInputObjectType).getFields()[step]!;
  const { [step]: old, ...others } = whole;
  const next = withBadPlace(old, field.type, { path: rest, value });
  return next === undefined ? others : { ...others, [step]: next };
}

/** Inputs of the type's shape with anything in them, hostile or made up. */
export function anyInput(outer: GraphQLInputType): fc.Arbitrary<unknown> {
  const type = getNullableType(outer);
  const value = isListType(type) ? fc.array(anyInput(type.ofType as GraphQLInputType), { maxLength: 3 })
    : isInputObjectType(type) ? anyFields(type)
      : isEnumType(type) ? fc.constantFrom(...type.getValues().map((one) => one.name), 'NO_SUCH_VALUE')
        : fc.oneof(anyLeaf(type.name), fc.constantFrom(...leaves(type.name, null).map((one) => one.value)));
  return isNonNullType(outer) ? value : fc.option(value);
}

function anyFields(type: GraphQLInputObjectType): fc.Arbitrary<unknown> {
  const fields = Object.values(type.getFields());
  return fc.record(Object.fromEntries(fields.map((field) => [field.name, anyInput(field.type)])), { requiredKeys: fields.filter((field) => isNonNullType(field.type)).map((field) => field.name) });
}

function anyLeaf(type: string): fc.Arbitrary<unknown> {
  switch (type) {
    case 'Int': return fc.integer();
    case 'Boolean': return fc.boolean();
    case 'DateTime': return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
    case 'JSONObject': return fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' }));
    default: return fc.string({ unit: 'binary' });
  }
}

/** The least that the type takes, for places that the good input leaves out. */
function example(outer: GraphQLInputType): unknown {
  const type = getNullableType(outer);
  if (isListType(type)) return [example(type.ofType as GraphQLInputType)];
  if (isInputObjectType(type)) return Object.fromEntries(Object.values(type.getFields()).filter((field) => isNonNullType(field.type)).map((field) => [field.name, example(field.type)]));
  if (isEnumType(type)) return type.getValues()[0]!.name;
  return { Int: 1, Boolean: true, JSONObject: {}, DateTime: '2100-01-01T00:00:00Z' }[type.name] ?? 'X-Example';
}

function leaves(type: string, names: string[] | null): readonly HostileValue[] {
  if (names !== null) return [...names, 'NO_SUCH_VALUE', '', '__proto__', 7].map((value) => ({ name: String(value), value }));
  switch (type) {
    case 'ID': return IDS;
    case 'Int': return INTS;
    case 'Boolean': return BOOLEANS;
    case 'JSONObject': return JSONS;
    case 'DateTime': return MOMENTS;
    default: return STRINGS;
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64url');
}

import { GraphQLError, GraphQLScalarType, Kind, type ValueNode } from 'graphql';
import { losesDigits } from '#core/json/number-source.js';
import { isRawNumber } from '#core/json/raw-json.js';
import { UnparsedJson } from '#core/json/unparsed.js';

/** Deeper JSON than this is refused: nothing sensible nests like that, and later stages walk it recursively. */
const MAX_JSON_DEPTH = 100;

const INEXACT = 'A number has more digits than JSON parsers keep (an integer beyond ±9007199254740991, say) and would be rounded: send it as a string.';

const refusal = (message: string, nodes?: ValueNode): GraphQLError => new GraphQLError(message, { nodes, extensions: { code: 'BAD_USER_INPUT' } });

/**
 * Any JSON value (RFC 8259). Input: numbers that would lose digits, such as integers beyond 2^53, are refused instead of rounded
 * (the body parser hands them over as `RawNumber`s). Output: values as they are; `RawNumber`s are written as they came.
 */
export const JsonScalar = new GraphQLScalarType<unknown, unknown>({
  name: 'JSON',
  description: 'Any JSON value. Numbers that JSON parsers would round, such as integers beyond ±9007199254740991, are refused in inputs: send them as strings.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
  serialize: (value) => value,
  parseValue: (value) => exactJson(value, 0),
  parseLiteral: (node, variables) => literalJson(node, variables, 0),
});

/** A JSON object; otherwise as {@link JsonScalar}. */
export const JsonObjectScalar = new GraphQLScalarType<unknown, unknown>({
  name: 'JSONObject',
  description: 'A JSON object. Numbers that JSON parsers would round, such as integers beyond ±9007199254740991, are refused in inputs: send them as strings.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259#section-4',
  serialize: (value) => {
    if (value instanceof UnparsedJson ? !value.text.startsWith('{') : !isObject(value)) throw new TypeError('JSONObject cannot represent a value that is no object');
    return value;
  },
  parseValue: (value) => {
    if (!isObject(value)) throw refusal('Expected a JSON object.');
    return exactJson(value, 0);
  },
  parseLiteral: (node, variables) => {
    if (node.kind !== Kind.OBJECT) throw refusal('Expected a JSON object.', node);
    return literalJson(node, variables, 0);
  },
});

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value);
}

/** Walks a parsed value and refuses what it can't hold exactly; returns it unchanged. */
function exactJson(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isRawNumber(value)) throw refusal(INEXACT);
  if (depth >= MAX_JSON_DEPTH) throw refusal(`JSON is nested more than ${MAX_JSON_DEPTH} levels deep.`);
  for (const item of Array.isArray(value) ? value : Object.values(value)) exactJson(item, depth + 1);
  return value;
}

function literalJson(node: ValueNode, variables: Record<string, unknown> | null | undefined, depth: number): unknown {
  if (depth > MAX_JSON_DEPTH) throw refusal(`JSON is nested more than ${MAX_JSON_DEPTH} levels deep.`, node);
  switch (node.kind) {
    case Kind.STRING:
    case Kind.BOOLEAN:
      return node.value;
    case Kind.ENUM:
      throw refusal('JSON has no bare words but true, false and null: write strings in quotes.', node);
    case Kind.NULL:
      return null;
    case Kind.INT:
    case Kind.FLOAT:
      if (losesDigits(node.value)) throw refusal(INEXACT, node);
      return Number(node.value);
    case Kind.LIST:
      return node.values.map((item) => literalJson(item, variables, depth + 1));
    case Kind.OBJECT:
      // fromEntries makes own properties, so a key `__proto__` stays a key.
      return Object.fromEntries(node.fields.map((field) => [field.name.value, literalJson(field.value, variables, depth + 1)]));
    case Kind.VARIABLE:
      return variables?.[node.name.value];
  }
}

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

const UTC_LENGTH = '2026-11-22T20:58:00.000Z'.length;

/**
 * A moment, RFC 3339. Input: with a time and an offset, in upper case; inside the program it is a `Date`.
 * Output: UTC with milliseconds (`2026-11-22T20:58:00.000Z`).
 */
export const DateTimeScalar = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  description: 'A moment as RFC 3339 says, for example "2026-11-22T20:58:00.000Z". Answers are in UTC, with milliseconds.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339#section-5.6',
  serialize: (value) => {
    if (value instanceof Date) return value.toISOString();
    // Moments inside JSON columns are text, nearly always in this form already.
    if (typeof value === 'string' && RFC3339.test(value)) return value.length === UTC_LENGTH && value.endsWith('Z') ? value : new Date(value).toISOString();
    throw new TypeError('DateTime cannot represent a value that is no Date');
  },
  parseValue: (value) => parseDateTime(value),
  parseLiteral: (node) => parseDateTime(node.kind === Kind.STRING ? node.value : null),
});

function parseDateTime(value: unknown): Date {
  const parts = typeof value === 'string' ? RFC3339.exec(value) : null;
  const moment = parts ? new Date(parts[0]) : null;
  // `Date` rolls the 30th of February over into March.
  const daysInMonth = parts ? new Date(Date.UTC(Number(parts[1]), Number(parts[2]), 0)).getUTCDate() : 0;
  if (!parts || !moment || Number.isNaN(moment.getTime()) || Number(parts[3]) > daysInMonth) {
    throw refusal('Expected a moment like "2026-11-22T20:58:00Z" (RFC 3339, with an offset).');
  }
  return moment;
}

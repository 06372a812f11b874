import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildSchema, GraphQLError, type GraphQLFormattedError, type GraphQLObjectType } from 'graphql';
import { createLogger } from '#core/log.js';
import { InvariantBroken } from '#core/errors.js';
import { errorFormatter } from '#api/graphql/errors.js';
import { createApollo } from '#api/http/apollo.js';
import { faultOf } from '#api/http/error-answer.js';
import { RequestFrames } from '#api/http/request-frame.js';
import { DateTimeScalar } from '#api/graphql/scalars.js';

/** What must never come out, wherever it is put. */
const CANARY = 'flt_canary';

const schema = buildSchema(/* GraphQL */ `
  scalar DateTime
  enum Role { MEMBER ADMIN }
  input Inner { role: Role count: Int! text: String }
  input Input { team: String! inner: [Inner!] role: Role when: DateTime flag: Boolean id: ID ratio: Float }
  input ByInput @oneOf { id: ID name: String }
  type Query { take(input: Input!, by: ByInput): Boolean page(first: Int! = 20): Boolean thrown: Boolean library: Boolean required: Boolean! bad: Role pages(first: Int = 20): Pages! }
  type Pages { nodes: [Pages!]! pageInfo: String pages(first: Int = 20): Pages! }
`);
Object.assign(schema.getType('DateTime')!, { parseValue: DateTimeScalar.parseValue.bind(DateTimeScalar), parseLiteral: DateTimeScalar.parseLiteral.bind(DateTimeScalar) });
const fields = (schema.getType('Query') as GraphQLObjectType).getFields();
fields.take!.resolve = fields.page!.resolve = () => true;
fields.thrown!.resolve = () => { throw new InvariantBroken(CANARY); };
fields.library!.resolve = () => { throw new GraphQLError(CANARY, { extensions: { code: 'BAD_USER_INPUT', value: CANARY } }); };
fields.required!.resolve = () => null;
fields.bad!.resolve = () => CANARY;

const lines: string[] = [];
const frames = new RequestFrames();
const logger = createLogger('debug', { write: (line: string) => void lines.push(line) });
const apollo = createApollo({ schema, introspection: false, frames, formatError: errorFormatter({ requestId: () => frames.current()?.requestId ?? 'none', logger }), logger });
beforeAll(() => apollo.start());
afterAll(() => apollo.stop());

async function errorsOf(query: string, variables?: Record<string, unknown>): Promise<readonly GraphQLFormattedError[]> {
  lines.length = 0;
  const frame = { requestId: 'request-1', operation: null, operationName: null, failed: false };
  const { body } = await frames.run(frame, () => apollo.executeOperation({ query, variables }));
  return (body.kind === 'single' && body.singleResult.errors) || [];
}

describe('a variable that can\'t be coerced is named with its path and expected type, without its value', () => {
  const TAKE = 'query ($input: Input!, $by: ByInput) { take(input: $input, by: $by) }';
  it.each<[string, Record<string, unknown>, string]>([
    ['a string', { input: { team: 't', inner: [{ count: CANARY }] } }, 'Variable "$input" has an invalid value at "input.inner[0].count": Int cannot represent non-integer value.'],
    ['an object for a string', { input: { team: { CANARY } } }, 'Variable "$input" has an invalid value at "input.team": String cannot represent a non string value.'],
    ['a whole other type', { input: CANARY }, 'Variable "$input" has an invalid value: Expected type "Input" to be an object.'],
    ['an enum value', { input: { team: 't', role: CANARY } }, 'Variable "$input" has an invalid value at "input.role": Value does not exist in "Role" enum.'],
    ['an enum of another type', { input: { team: 't', role: 5 } }, 'Variable "$input" has an invalid value at "input.role": Enum "Role" cannot represent non-string value.'],
    ['a boolean', { input: { team: 't', flag: CANARY } }, 'Variable "$input" has an invalid value at "input.flag": Boolean cannot represent a non boolean value.'],
    ['a float', { input: { team: 't', ratio: CANARY } }, 'Variable "$input" has an invalid value at "input.ratio": Float cannot represent non numeric value.'],
    ['an id', { input: { team: 't', id: { CANARY } } }, 'Variable "$input" has an invalid value at "input.id": ID cannot represent value.'],
    ['an integer that is too large', { input: { team: 't', inner: [{ count: 2 ** 31 }] } }, 'Variable "$input" has an invalid value at "input.inner[0].count": Int cannot represent non 32-bit signed integer value.'],
    ['a moment', { input: { team: 't', when: CANARY } }, 'Variable "$input" has an invalid value at "input.when": Expected a moment like "2026-11-22T20:58:00Z" (RFC 3339, with an offset).'],
    ['an unknown field', { input: { team: CANARY, tem: CANARY } }, 'Variable "$input" has an invalid value: Field "tem" is not defined by type "Input".'],
    ['a missing field', { input: { role: 'ADMIN', id: CANARY } }, 'Variable "$input" has an invalid value: Field "team" of required type "String!" was not provided.'],
    ['null in a place that takes none', { input: { team: null, id: CANARY } }, 'Variable "$input" has an invalid value at "input.team": Expected non-nullable type "String!" not to be null.'],
    ['nothing', {}, 'Variable "$input" of required type "Input!" was not provided.'],
    ['null', { input: null }, 'Variable "$input" of non-null type "Input!" must not be null.'],
    ['two of oneOf', { input: { team: 't' }, by: { id: CANARY, name: CANARY } }, 'Variable "$by" has an invalid value: Exactly one key must be specified for OneOf type "ByInput".'],
  ])('%s', async (_what, variables, message) => {
    const errors = await errorsOf(TAKE, variables);
    expect(errors.map((error) => error.message)).toContain(message);
    expect(errors[0]!.extensions).toEqual({ code: 'BAD_USER_INPUT', requestId: 'request-1' });
    expect(JSON.stringify(errors) + lines.join('')).not.toContain(CANARY);
  });

  it('however many faults there are', async () => {
    const errors = await errorsOf(TAKE, { input: { team: 't', inner: Array.from({ length: 80 }, () => ({ count: CANARY })) } });
    expect(errors.at(-1)).toMatchObject({ message: 'The variables have too many faults to list.', extensions: { code: 'BAD_USER_INPUT' } });
    expect(JSON.stringify(errors) + lines.join('')).not.toContain(CANARY);
  });

  it('even if a value imitates the end of a message', async () => {
    const [error] = await errorsOf('query ($by: ByInput) { take(input: {team: "t"}, by: $by) }', { by: `${CANARY}" at "input.x"; String cannot` });
    expect(error!.message).toBe('Variable "$by" has an invalid value: Expected type "ByInput" to be an object.');
  });

  it('and null for an argument that takes none', async () => {
    const [error] = await errorsOf('query ($first: Int = 5) { page(first: $first) }', { first: null });
    expect(error).toMatchObject({ message: 'Argument "first" of non-null type "Int!" must not be null.', extensions: { code: 'BAD_USER_INPUT' } });
  });
});

describe('a document that isn\'t valid', () => {
  it.each([
    [`{ take(input: {team: 5, id: "${CANARY}"}) }`, 'String cannot represent a non string value.', 'GRAPHQL_VALIDATION_FAILED'],
    [`{ take(input: "${CANARY}") }`, 'Expected value of type "Input!".', 'GRAPHQL_VALIDATION_FAILED'],
    [`{ take(input: {team: "t", role: "${CANARY}"}) }`, 'Enum "Role" cannot represent non-enum value.', 'GRAPHQL_VALIDATION_FAILED'],
    [`{ take(input: {team: "t", role: ${CANARY}}) }`, 'Value does not exist in "Role" enum.', 'GRAPHQL_VALIDATION_FAILED'],
    [`{ take(input: {team: "t", when: "${CANARY}"}) }`, 'Expected a moment like "2026-11-22T20:58:00Z" (RFC 3339, with an offset).', 'BAD_USER_INPUT'],
    [`{ "${CANARY}" }`, 'Syntax Error: Expected Name, found String.', 'GRAPHQL_PARSE_FAILED'],
    ['{ takes }', 'Cannot query field "takes" on type "Query".', 'GRAPHQL_VALIDATION_FAILED'],
    ['{ page(frist: 1) }', 'Unknown argument "frist" on field "Query.page".', 'GRAPHQL_VALIDATION_FAILED'],
    ['{ __schema { types { name } } }', 'Introspection is off here. An operator can turn it on with FAIRLEAD_INTROSPECTION=on.', 'GRAPHQL_VALIDATION_FAILED'],
  ])('%s', async (query, message, code) => {
    const errors = await errorsOf(query);
    expect(errors[0]).toMatchObject({ message, extensions: { code, requestId: 'request-1' } });
    expect(JSON.stringify(errors) + lines.join('')).not.toMatch(new RegExp(`${CANARY}|Did you mean`));
  });

  it('because of its number of tokens says so, though the parser gives that no code', async () => {
    const [error] = await errorsOf(`{ ${'page '.repeat(3000)} }`);
    expect(error).toMatchObject({ message: expect.stringContaining('2500'), extensions: { code: 'LIMIT_EXCEEDED', limit: 'tokens', maximum: 2500 } });
  });
});

describe('an operation that costs too much', () => {
  const PAGES = 'query ($first: Int) { pages(first: $first) { nodes { pages(first: $first) { nodes { pageInfo } } } } }';
  it('is refused by what its variables ask for, and runs with smaller ones', async () => {
    const [error] = await errorsOf(PAGES, { first: 200 });
    expect(error).toMatchObject({
      message: '40401 objects that the answer could hold; the limit is 20000. Ask for smaller pages (`first`) or for fewer nested lists.',
      extensions: { code: 'LIMIT_EXCEEDED', limit: 'cost', maximum: 20_000, actual: 40_401 },
    });
    expect((await errorsOf(PAGES, { first: 10 }))[0]?.extensions?.code).not.toBe('LIMIT_EXCEEDED');
  });

  it('says that variables are wrong rather than failing over them', async () => {
    expect((await errorsOf(PAGES, { first: 'many' }))[0]?.extensions?.code).toBe('BAD_USER_INPUT');
  });
});

describe('an error of a resolver', () => {
  it.each(['thrown', 'library', 'required', 'bad'])('%s, is masked, whatever code a library gave it, and logged once', async (field) => {
    const errors = await errorsOf(`{ ${field} }`);
    expect(errors).toEqual([{
      message: 'Internal error; quote request id request-1 when you report it.', path: [field], locations: expect.any(Array), extensions: { code: 'INTERNAL', requestId: 'request-1' },
    }]);
    expect(lines.filter((line) => line.includes('"requestId":"request-1"'))).toHaveLength(1);
  });
});

it('a body that its sender broke off is no fault of ours, and any other lost connection is', () => {
  const lines: string[] = [];
  const logger = createLogger('debug', { write: (line: string) => void lines.push(line) });
  const lost = (message: string) => faultOf(Object.assign(new Error(message), { code: 'ECONNRESET' }), 'r', 1000, logger);
  expect([lost('aborted').status, lines.length]).toEqual([400, 0]);
  expect([lost('read ECONNRESET').status, lines.length]).toEqual([500, 1]);
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getNamedType, isCompositeType, isObjectType, type GraphQLField, type GraphQLObjectType } from 'graphql';
import { createSchema } from '#api/schema.js';
import { MUTATION_ROWS } from '#test/support/access/mutation-rows.js';
import { QUERY_ROWS } from '#test/support/access/query-rows.js';
import { ALLOWED, type AccessRow } from '#test/support/access/row.js';
import { AccessWorld, OUTSIDERS, PEOPLE, unknownVariables, type Person } from '#test/support/access/world.js';
import type { GraphqlAnswer } from '#test/support/api.js';

const ROWS = [...QUERY_ROWS, ...MUTATION_ROWS];

/** Fields with an object of their own that is a part of what they are on: whoever sees that sees them. A relation to other objects needs a row. */
const PARTS = new Set([
  'ConnectionType.manifest', 'ConnectionType.accessToken', 'ConnectionType.headers', 'ConnectionType.oauth', 'ConnectionType.health', 'ConnectionType.calls',
  'ConnectionType.toolPolicy', 'ConnectionType.action', 'ConnectionType.server', 'ConnectionType.conditions',
  'Enrollment.action', 'Enrollment.manifest', 'Enrollment.conditions',
  'Team.namespace',
  'Tool.inputSchema', 'Tool.outputSchema', 'Tool.annotations', 'Tool.change',
  'Assignment.slots', 'ToolCall.assignment', 'ToolCall.error', 'ToolCall.progress', 'ToolCall.approval',
]);

let world: AccessWorld;
beforeAll(async () => { world = await AccessWorld.create(); });
afterAll(() => world.close());

describe('every way into the schema has a row', () => {
  it('each query and mutation, and each field of an object that leads to others', async () => {
    const covered = new Set([...PARTS, ...ROWS.flatMap((row) => row.covers)]);
    const fields = await fieldsThatNeedRows();
    expect(fields.filter((field) => !covered.has(field))).toEqual([]);
    expect([...covered].filter((field) => !fields.includes(field))).toEqual([]);
  });
});

describe.each(ROWS.map((row) => [`${row.covers[0]}: ${row.title}`, row] as const))('%s', (_title, row) => {
  const asked = new Map<Person, { variables: object; answer: GraphqlAnswer }>();

  it('gives each person what the row says', async () => {
    const got = await Promise.all(PEOPLE.map(async (person) => {
      const variables = await row.variables(world, person);
      const answer = await world.gql(person, row.document, variables);
      asked.set(person, { variables, answer });
      return [person, outcome(row, answer)];
    }));
    expect(Object.fromEntries(got)).toEqual(row.gets);
  });

  it('doesn\'t tell what is out of reach from what isn\'t there', async () => {
    const denied = PEOPLE.filter((person) => row.gets[person] === 'NOT_FOUND' || row.gets[person] === null);
    await Promise.all(denied.map(async (person) => {
      const { variables, answer } = asked.get(person)!;
      const unknown = await world.gql(person, row.document, unknownVariables(variables, person === 'STRANGER' ? [] : row.known) as object);
      expect({ person, ...comparable(answer) }).toEqual({ person, ...comparable(unknown) });
    }));
  });

  it('gives nothing but a challenge for a token that was revoked, has expired or lost its creator, and for none', async () => {
    const variables = await row.variables(world, 'MEMBER');
    for (const outsider of OUTSIDERS) {
      const { status, data, errors } = await world.gql(outsider, row.document, variables);
      expect({ outsider, status, data, codes: errors.map((error) => error.extensions.code) }).toEqual({ outsider, status: 401, data: null, codes: ['UNAUTHENTICATED'] });
    }
  });
});

function outcome(row: AccessRow, { data, errors }: GraphqlAnswer): unknown {
  if (errors.length > 0) return errors[0]!.extensions.code;
  const [value] = Object.values(data as Record<string, { userErrors?: { code: string }[] } | null>);
  if (value == null) return null;
  if (value.userErrors !== undefined && value.userErrors.length > 0) return value.userErrors[0]!.code;
  return row.sees === undefined ? ALLOWED : row.sees(value);
}

/** All of an answer but the request's own id. */
function comparable({ status, data, errors }: GraphqlAnswer): object {
  return { status, data, errors: errors.map(({ extensions: { requestId: _own, ...extensions }, ...error }) => ({ ...error, extensions })) };
}

async function fieldsThatNeedRows(): Promise<string[]> {
  const schema = await createSchema();
  const objects = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) && !type.name.startsWith('__')) as GraphQLObjectType[];
  return objects.flatMap((type) => Object.values(type.getFields()).filter((field) => needsRow(type, field)).map((field) => `${type.name}.${field.name}`));
}

/** All of the roots; elsewhere objects and JSON: plain text is as visible as what it is on. */
function needsRow(type: GraphQLObjectType, { type: fieldType }: GraphQLField<unknown, unknown>): boolean {
  if (type.name === 'Query' || type.name === 'Mutation') return true;
  const named = getNamedType(fieldType);
  return (type.name === 'Viewer' || type.getInterfaces().some(({ name }) => name === 'Node')) && (isCompositeType(named) || named.name.startsWith('JSON'));
}

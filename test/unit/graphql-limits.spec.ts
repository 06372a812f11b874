import { describe, expect, it } from '@jest/globals';
import { buildSchema, getIntrospectionQuery, Kind, parse, specifiedRules, validate, type GraphQLError, type OperationDefinitionNode } from 'graphql';
import { shapeOf } from '#api/graphql/document-shape.js';
import { GRAPHQL_LIMITS, limitRule, LimitExceeded } from '#api/graphql/limits.js';
import { costOf, type OperationCost } from '#api/graphql/operation-cost.js';

const SCHEMA = buildSchema(/* GraphQL */ `
  directive @mark repeatable on FIELD
  type Query { node: Node! nodes(first: Int = 20, last: Int): Nodes! list: [Node!]! a: Int }
  type Nodes { nodes: [Node!]! edges: [Edge!]! pageInfo: PageInfo! totalCount: Int! }
  type Edge { node: Node! cursor: String! }
  type PageInfo { endCursor: String }
  type Node { id: ID! node: Node! list: [Node!]! nodes(first: Int = 20, last: Int): Nodes! }
`);

const errorsOf = (source: string): readonly GraphQLError[] => validate(SCHEMA, parse(source), [...specifiedRules, limitRule(GRAPHQL_LIMITS)]);

function cost(source: string, variables?: Record<string, unknown>): OperationCost {
  const document = parse(source);
  expect(validate(SCHEMA, document)).toEqual([]);
  return costOf(SCHEMA, document, document.definitions.find((node): node is OperationDefinitionNode => node.kind === Kind.OPERATION_DEFINITION)!, variables);
}

describe('a document that is too large is refused, with the limit, its value and what was sent', () => {
  const nested = (levels: number): string => `{ ${'node { '.repeat(levels - 1)}id${' }'.repeat(levels - 1)} }`;
  it.each([
    ['depth', nested(GRAPHQL_LIMITS.depth), nested(GRAPHQL_LIMITS.depth + 1), GRAPHQL_LIMITS.depth + 1],
    ['aliases', `{ node { ${alias(50)} } }`, `{ node { ${alias(51)} } }`, 51],
    ['rootFields', `{ ${'a '.repeat(20)} }`, `{ ${'a '.repeat(21)} }`, 21],
    ['fields', `{ node { ${'id '.repeat(499)} } }`, `{ node { ${'id '.repeat(500)} } }`, 501],
    ['directives', `{ a ${'@mark '.repeat(50)} }`, `{ a ${'@mark '.repeat(51)} }`, 51],
  ])('%s', (limit, fits, tooLarge, actual) => {
    expect(errorsOf(fits)).toEqual([]);
    const [error, ...others] = errorsOf(tooLarge);
    expect(others).toEqual([]);
    expect(error).toBeInstanceOf(LimitExceeded);
    expect(error).toMatchObject({ limit, actual, maximum: GRAPHQL_LIMITS[limit as 'depth'] });
    expect(error!.message).toContain(`${actual} `);
    expect(error!.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED', http: { status: 400 } });
  });

  function alias(count: number): string {
    return Array.from({ length: count }, (_, index) => `a${index}: id`).join(' ');
  }

  it('counts what fragments bring along, each time that they are spread', () => {
    const source = `{ node { ...F } } fragment F on Node { ${alias(30)} node { ...G } } fragment G on Node { ${alias(30)} }`;
    expect(errorsOf(source)).toEqual([expect.objectContaining({ limit: 'aliases', actual: 60 })]);
  });

  it('checks each operation of the document', () => {
    expect(errorsOf(`query A { a } query B { ${'a '.repeat(21)} }`)).toHaveLength(1);
  });

  it('ends on cyclic and unknown fragments, and leaves the message to validation', () => {
    expect(errorsOf('{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }').map((error) => error.message)).toEqual([
      'Cannot spread fragment "A" within itself via "B".',
    ]);
    expect(errorsOf('{ ...Nope }')).toHaveLength(1);
  });

  it('measures fragments that double at each step without doubling its own work', () => {
    const steps = Array.from({ length: 60 }, (_, step) => `fragment F${step} on Node { x: node { ...F${step + 1} } y: node { ...F${step + 1} } }`);
    const document = parse(`{ node { ...F0 } } ${steps.join(' ')} fragment F60 on Node { id }`);
    expect(shapeOf(document, document.definitions[0] as OperationDefinitionNode).fields).toBeGreaterThan(2 ** 60);
    expect(errorsOf(`{ node { ...F0 } } ${steps.join(' ')} fragment F60 on Node { id }`)).toHaveLength(1);
  });

  it('never stops the introspection query of explorers', () => {
    expect(errorsOf(getIntrospectionQuery({ inputValueDeprecation: true, oneOf: true, specifiedByUrl: true }))).toEqual([]);
  });
});

describe('the cost of an operation', () => {
  it('is the number of objects that it may answer with; scalars are free', () => {
    expect(cost('{ a }')).toEqual({ objects: 0, fixed: true });
    expect(cost('{ node { id node { id } } }').objects).toBe(2);
    expect(cost('{ list { id } }').objects).toBe(5);
  });

  it('multiplies by the page size: literal, default of the schema, or the larger of first and last', () => {
    expect(cost('{ nodes(first: 50) { totalCount nodes { id } } }').objects).toBe(51);
    expect(cost('{ nodes { nodes { id } } }').objects).toBe(21);
    expect(cost('{ nodes(last: 70) { nodes { id } } }').objects).toBe(71);
    expect(cost('{ nodes(first: 10) { edges { node { nodes(first: 10) { nodes { id } } } } } }').objects).toBe(1 + 10 * (1 + 1 + 11));
  });

  it('takes page sizes from variables and their defaults, and then isn\'t fixed', () => {
    const source = 'query ($first: Int = 30) { nodes(first: $first) { nodes { id } } }';
    expect(cost(source, { first: 100 })).toEqual({ objects: 101, fixed: false });
    expect(cost(source)).toEqual({ objects: 31, fixed: false });
  });

  it('shrugs at page sizes that execution will refuse', () => {
    const source = 'query ($first: Int) { nodes(first: $first) { nodes { id } } }';
    for (const first of ['50', null, {}, -5, Number.NaN]) expect(cost(source, { first }).objects).toBeGreaterThanOrEqual(0);
  });
});

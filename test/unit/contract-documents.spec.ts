import { beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import {
  buildSchema, getNamedType, isEnumType, Kind, parse, print, specifiedRules, TypeInfo, validate, visit, visitWithTypeInfo, type DocumentNode, type GraphQLSchema,
  type OperationDefinitionNode,
} from 'graphql';
import { GRAPHQL_LIMITS, limitRule } from '#api/graphql/limits.js';
import { costOf } from '#api/graphql/operation-cost.js';
import { CALL_FAULT_CODES, USER_FAULT_CODES } from '#core/errors.js';
import { contractDocument, contractDocuments, contractText } from '#test/support/contract.js';

const documents = contractDocuments();
const served = [...documents.keys()];
let schema: GraphQLSchema;
beforeAll(() => {
  schema = buildSchema(readFileSync('schema/schema.graphql', 'utf8'));
});

describe('the committed SDL', () => {
  it.each(served)('takes %s, verbatim', (name) => {
    expect(faultsOf(parse(contractDocument(name)))).toEqual([]);
  });
});

describe('the limits', () => {
  it.each(served)('admit %s at first: 50', (name) => {
    const document = documents.get(name)!;
    expect(validate(schema, document, [...specifiedRules, limitRule(GRAPHQL_LIMITS)])).toEqual([]);
    expect(() => parse(print(document), { maxTokens: GRAPHQL_LIMITS.tokens })).not.toThrow();
    expect(costOf(schema, document, operationOf(document), { first: 50 }).objects).toBeLessThanOrEqual(GRAPHQL_LIMITS.cost);
  });
});

describe('the contract\'s comments', () => {
  it('name the codes of userErrors that there are', () => {
    expect(codesUnder('Codes of userErrors')).toEqual([...USER_FAULT_CODES]);
  });

  it('name the codes of ToolCall.error that there are', () => {
    expect(codesUnder('Codes of ToolCall.error')).toEqual([...CALL_FAULT_CODES]);
  });

  it('name the values of enums that there are', () => {
    const found = served.flatMap((name) => enumsWithComment(contractDocument(name)));
    expect(new Set(found.map(({ field }) => field))).toEqual(new Set(['Tool.state', 'ConnectionType.state', 'Enrollment.state', 'ToolCall.status', 'ToolCall.contentState', 'ProbeReport.verdict', 'Revocation.outcome']));
    for (const { field, written, declared } of found) expect([field, declared.toSorted()]).toEqual([field, written.toSorted()]);
  });
});

/** Without a root type of its kind an operation validates, and could only fail when executed. */
function faultsOf(document: DocumentNode): string[] {
  const { operation } = operationOf(document);
  return [...(schema.getRootType(operation) == null ? [`There is no ${operation}.`] : []), ...validate(schema, document).map(({ message }) => message)];
}

function operationOf(document: DocumentNode): OperationDefinitionNode {
  return document.definitions.find((definition): definition is OperationDefinitionNode => definition.kind === Kind.OPERATION_DEFINITION)!;
}

/** The words in capitals of the comment lines after the one that begins like this. */
function codesUnder(heading: string): string[] {
  const lines = contractText().split('\n');
  const from = lines.findIndex((line) => line.startsWith(`# ${heading}`)) + 1;
  const to = lines.findIndex((line, index) => index >= from && !/^#(?: {3}[A-Z_]+)/.test(line));
  return lines.slice(from, to).join(' ').match(/[A-Z_]{3,}/g)!;
}

/** Fields of an enum's type on a line whose comment lists values as `A | B`. */
function enumsWithComment(text: string): { field: string; written: string[]; declared: string[] }[] {
  const lines = text.split('\n');
  const info = new TypeInfo(schema);
  const found: { field: string; written: string[]; declared: string[] }[] = [];
  visit(parse(text), visitWithTypeInfo(info, {
    Field(node) {
      const written = /#.*?((?:[A-Z_]+ \| )+[A-Z_]+)/.exec(lines[node.loc!.startToken.line - 1]!)?.[1]?.split(' | ');
      const type = getNamedType(info.getType());
      if (written !== undefined && isEnumType(type)) found.push({ field: `${info.getParentType()!.name}.${node.name.value}`, written, declared: type.getValues().map(({ name }) => name) });
    },
  }));
  return found;
}

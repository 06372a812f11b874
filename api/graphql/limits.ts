import type { BaseContext, GraphQLRequestContextDidResolveOperation } from '@apollo/server';
import { GraphQLError, Kind, type DocumentNode, type OperationDefinitionNode, type ValidationRule } from 'graphql';
import { shapeOf, type OperationShape } from './document-shape.js';
import { costOf } from './operation-cost.js';

/** How large a GraphQL document may be. Chosen so that each document of the contract fits at `first: 50`, with room to spare. */
export interface GraphqlLimits extends OperationShape {
  /** Lexical tokens of the whole document; checked by the parser. */
  tokens: number;
  /** Upper estimate of the number of objects in the answer. */
  cost: number;
}

/** The limits in force. */
export const GRAPHQL_LIMITS: Readonly<GraphqlLimits> = Object.freeze({
  tokens: 2_500, depth: 12, fields: 500, aliases: 50, directives: 50, rootFields: 20, cost: 20_000,
});

const WORDS: Record<keyof GraphqlLimits, string> = {
  tokens: 'tokens in the document', depth: 'levels of nested fields', fields: 'fields', aliases: 'aliases', directives: 'directives',
  rootFields: 'root fields', cost: 'objects that the answer could hold',
};

/** A document that is larger than a limit; its message says which limit, its value, and what was sent. Answered with HTTP 400. */
export class LimitExceeded extends GraphQLError {
  constructor(readonly limit: keyof GraphqlLimits, readonly maximum: number, readonly actual: number | null) {
    const found = actual === null ? 'More' : String(actual);
    super(`${found} ${WORDS[limit]}${actual === null ? ' than the limit' : '; the limit is'} ${maximum === 0 ? 'none' : maximum}. ${adviceOn(limit)}`, {
      extensions: { code: 'LIMIT_EXCEEDED', limit, maximum, actual, http: { status: 400, headers: new Map<string, string>() } },
    });
  }
}

function adviceOn(limit: keyof GraphqlLimits): string {
  return limit === 'cost' ? 'Ask for smaller pages (`first`) or for fewer nested lists.' : 'Split the document into several requests.';
}

/**
 * The validation rule for everything that can be told without variables. It looks before any other rule descends into the document
 * and, when a limit is exceeded, hides the rest of it from them: some rules take quadratic time.
 */
export function limitRule(limits: GraphqlLimits): ValidationRule {
  const bounded = ['depth', 'fields', 'aliases', 'directives', 'rootFields'] as const;
  return (context) => ({
    Document(document: DocumentNode) {
      for (const definition of document.definitions) {
        if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
        const shape = shapeOf(document, definition);
        const exceeded = bounded.find((limit) => shape[limit] > limits[limit]);
        if (!exceeded) continue;
        context.reportError(new LimitExceeded(exceeded, limits[exceeded], shape[exceeded]));
        return { ...document, definitions: [] };
      }
      return undefined;
    },
  });
}

/** The check of the cost limit, which depends on variables; it throws {@link LimitExceeded}. A document whose cost is fixed is costed once, while it is cached. */
export function costLimit(limits: GraphqlLimits): (operation: OperationToCost) => void {
  const fixedCosts = new WeakMap<OperationDefinitionNode, number>();
  return ({ schema, document, operation, request }) => {
    let objects = fixedCosts.get(operation);
    if (objects === undefined) {
      const cost = costOf(schema, document, operation, request.variables);
      objects = cost.objects;
      if (cost.fixed) fixedCosts.set(operation, objects);
    }
    if (objects > limits.cost) throw new LimitExceeded('cost', limits.cost, objects);
  };
}

/** An operation that was found valid, and what it was sent with. */
type OperationToCost = Pick<GraphQLRequestContextDidResolveOperation<BaseContext>, 'schema' | 'document' | 'request'> & { operation: OperationDefinitionNode };

import {
  getOperationAST, getVariableValues, GraphQLError, NoSchemaIntrospectionCustomRule, OperationTypeNode, parse, specifiedRules, validate,
  type DocumentNode, type ExecutionArgs, type GraphQLSchema,
} from 'graphql';
import { GRAPHQL_LIMITS, LimitExceeded, limitRule } from '../graphql/limits.js';
import { costOf } from '../graphql/operation-cost.js';

/** What a client asks for. */
export interface OperationRequest {
  query: string;
  operationName?: string | null | undefined;
  variables?: Record<string, unknown> | null | undefined;
}

/** As Apollo has it for HTTP. */
const MAX_VARIABLE_ERRORS = 50;

/**
 * Parses and checks a subscription by the rules that hold for queries over HTTP: tokens, shape, validation, introspection, variables, cost. Returns what it
 * is to be executed with, or the errors, with the codes that the error formatter knows.
 */
export function prepareSubscription(schema: GraphQLSchema, introspection: boolean, request: OperationRequest): Omit<ExecutionArgs, 'contextValue'> | GraphQLError[] {
  let document: DocumentNode;
  try {
    document = parse(request.query, { maxTokens: GRAPHQL_LIMITS.tokens });
  } catch (error) {
    return [coded(error as GraphQLError, 'GRAPHQL_PARSE_FAILED')];
  }
  const rules = [limitRule(GRAPHQL_LIMITS), ...(introspection ? [] : [NoSchemaIntrospectionCustomRule]), ...specifiedRules];
  const faults = validate(schema, document, rules);
  if (faults.length > 0) return faults.map((fault) => (fault instanceof LimitExceeded ? fault : coded(fault, 'GRAPHQL_VALIDATION_FAILED')));
  const operation = getOperationAST(document, request.operationName);
  if (operation == null) return [new GraphQLError('Say by "operationName" which operation of the document is meant.', { extensions: { code: 'OPERATION_RESOLUTION_FAILURE' } })];
  if (operation.operation !== OperationTypeNode.SUBSCRIPTION) {
    return [new GraphQLError('Only subscriptions are answered over WebSocket: send queries and mutations to POST /graphql.', { extensions: { code: 'BAD_REQUEST' } })];
  }
  const variables = request.variables ?? {};
  const { errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables, { maxErrors: MAX_VARIABLE_ERRORS });
  if (errors !== undefined) return errors.map((error) => coded(error, 'BAD_USER_INPUT'));
  const { objects } = costOf(schema, document, operation, variables);
  if (objects > GRAPHQL_LIMITS.cost) return [new LimitExceeded('cost', GRAPHQL_LIMITS.cost, objects)];
  return { schema, document, operationName: request.operationName, variableValues: variables };
}

function coded(error: GraphQLError, code: string): GraphQLError {
  return new GraphQLError(error.message, { nodes: error.nodes, source: error.source, positions: error.positions, originalError: error.originalError, extensions: { ...error.extensions, code } });
}

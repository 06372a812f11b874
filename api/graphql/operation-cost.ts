import {
  getNamedType, isCompositeType, isInterfaceType, isListType, isNonNullType, isObjectType, Kind,
  type DocumentNode, type FieldNode, type FragmentDefinitionNode, type GraphQLCompositeType, type GraphQLField, type GraphQLOutputType,
  type GraphQLSchema, type OperationDefinitionNode, type SelectionSetNode, type ValueNode,
} from 'graphql';

/** Page size that is assumed where neither the request nor the schema names one. */
const ASSUMED_PAGE = 20;
/** Length that is assumed for a list that isn't paged (conditions, headers, slots, ...). */
const ASSUMED_LIST = 5;

/** What an operation may cost at most. */
export interface OperationCost {
  /** Upper estimate of the number of objects in the answer. */
  objects: number;
  /** False when page sizes came from variables, so that the same document may cost something else next time. */
  fixed: boolean;
}

/**
 * Estimates how many objects an operation can answer with: 1 for each field of an object type, times `first` (or `last`) below a
 * connection field, times an assumed length below other lists; scalars are free. An upper bound in that `@skip` and `@include` are
 * ignored and all branches of a union are summed. Linear in the document (a fragment is costed once). Expects a validated document.
 */
export function costOf(
  schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Record<string, unknown> | undefined,
): OperationCost {
  const root = schema.getRootType(operation.operation);
  if (!root) return { objects: 0, fixed: true };
  const costing = new Costing(schema, document, operation, variables ?? {});
  return { objects: costing.ofSelections(operation.selectionSet, root), fixed: costing.fixed };
}

class Costing {
  fixed = true;
  readonly #fragments = new Map<string, FragmentDefinitionNode>();
  readonly #costs = new Map<string, number>();

  constructor(
    private readonly schema: GraphQLSchema, document: DocumentNode,
    private readonly operation: OperationDefinitionNode, private readonly variables: Record<string, unknown>,
  ) {
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#fragments.set(definition.name.value, definition);
    }
  }

  ofSelections(set: SelectionSetNode, type: GraphQLCompositeType): number {
    let objects = 0;
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) objects += this.#ofField(selection, type);
      else if (selection.kind === Kind.FRAGMENT_SPREAD) objects += this.#ofFragment(selection.name.value);
      else objects += this.ofSelections(selection.selectionSet, this.#typeNamed(selection.typeCondition?.name.value) ?? type);
    }
    return objects;
  }

  #ofFragment(name: string): number {
    const known = this.#costs.get(name);
    if (known !== undefined) return known;
    const fragment = this.#fragments.get(name);
    const type = this.#typeNamed(fragment?.typeCondition.name.value);
    const objects = fragment && type ? this.ofSelections(fragment.selectionSet, type) : 0;
    this.#costs.set(name, objects);
    return objects;
  }

  #ofField(node: FieldNode, parent: GraphQLCompositeType): number {
    if (!node.selectionSet || node.name.value.startsWith('__')) return 0;
    const field = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[node.name.value] : undefined;
    const type = field && getNamedType(field.type);
    if (!field || !isCompositeType(type)) return 0;
    const below = this.ofSelections(node.selectionSet, type);
    const page = this.#pageOf(node, field);
    if (page !== null) return 1 + page * below;
    return (isList(field.type) && !isConnection(parent) ? ASSUMED_LIST : 1) * (1 + below);
  }

  /** The page size that a connection field is asked for; null for fields that aren't paged. */
  #pageOf(node: FieldNode, field: GraphQLField<unknown, unknown>): number | null {
    const sizes = field.args.filter((arg) => arg.name === 'first' || arg.name === 'last');
    if (sizes.length === 0) return null;
    let largest: number | null = null;
    for (const size of sizes) {
      const asked = this.#number(node.arguments?.find((arg) => arg.name.value === size.name)?.value) ?? size.defaultValue;
      if (typeof asked === 'number' && Number.isFinite(asked)) largest = Math.max(largest ?? 0, asked);
    }
    return largest ?? ASSUMED_PAGE;
  }

  #number(value: ValueNode | undefined): number | null {
    if (value?.kind === Kind.INT) return Number(value.value);
    if (value?.kind !== Kind.VARIABLE) return null;
    this.fixed = false;
    const name = value.name.value;
    const given = this.variables[name];
    if (given !== undefined) return typeof given === 'number' ? given : null;
    return this.#number(this.operation.variableDefinitions?.find((definition) => definition.variable.name.value === name)?.defaultValue);
  }

  #typeNamed(name: string | undefined): GraphQLCompositeType | null {
    const type = name === undefined ? undefined : this.schema.getType(name);
    return isCompositeType(type) ? type : null;
  }
}

function isList(type: GraphQLOutputType): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type);
}

/** Relay's page object: its `nodes` and `edges` were already multiplied by the page size. */
function isConnection(type: GraphQLCompositeType): boolean {
  return isObjectType(type) && 'pageInfo' in type.getFields();
}

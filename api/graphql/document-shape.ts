import { Kind, type DocumentNode, type FragmentDefinitionNode, type OperationDefinitionNode, type SelectionSetNode } from 'graphql';

/** How large an operation is, with its fragments spelled out; needs no schema. */
export interface OperationShape {
  /** Levels of nested fields; introspection fields don't count. */
  depth: number;
  fields: number;
  aliases: number;
  directives: number;
  rootFields: number;
}

type Counts = Omit<OperationShape, 'rootFields'> & { ownFields: number };

/**
 * Measures an operation in time linear to the document: each fragment is measured once, however often it is spread.
 * Never throws: cycles and unknown fragments count as nothing, since validation reports them.
 */
export function shapeOf(document: DocumentNode, operation: OperationDefinitionNode): OperationShape {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const measured = new Map<string, Counts>();

  const ofFragment = (name: string): Counts => {
    const known = measured.get(name);
    if (known) return known;
    // Entered before its selection is measured, so that a cycle ends here.
    measured.set(name, { depth: 0, fields: 0, aliases: 0, directives: 0, ownFields: 0 });
    const fragment = fragments.get(name);
    const counts = fragment ? ofSelections(fragment.selectionSet, fragment.directives?.length ?? 0) : measured.get(name)!;
    measured.set(name, counts);
    return counts;
  };

  const ofSelections = (set: SelectionSetNode, directives: number): Counts => {
    const sum: Counts = { depth: 0, fields: 0, aliases: 0, directives, ownFields: 0 };
    for (const selection of set.selections) {
      sum.directives += selection.directives?.length ?? 0;
      if (selection.kind === Kind.FIELD) {
        sum.fields += 1;
        sum.ownFields += 1;
        if (selection.alias) sum.aliases += 1;
        const below = selection.selectionSet && ofSelections(selection.selectionSet, 0);
        // graphql-js bounds introspection by a rule of its own, and the full introspection query of explorers nests deeply.
        if (!selection.name.value.startsWith('__')) sum.depth = Math.max(sum.depth, 1 + (below?.depth ?? 0));
        if (below) add(sum, below);
      } else {
        const spread = selection.kind === Kind.FRAGMENT_SPREAD ? ofFragment(selection.name.value) : ofSelections(selection.selectionSet, 0);
        sum.depth = Math.max(sum.depth, spread.depth);
        sum.ownFields += spread.ownFields;
        add(sum, spread);
      }
    }
    return sum;
  };

  const { ownFields, ...shape } = ofSelections(operation.selectionSet, operation.directives?.length ?? 0);
  return { ...shape, rootFields: ownFields };
}

function add(sum: Counts, part: Counts): void {
  sum.fields += part.fields;
  sum.aliases += part.aliases;
  sum.directives += part.directives;
}

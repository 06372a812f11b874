import { readFileSync } from 'node:fs';
import { Kind, parse, print, visit, type FragmentDefinitionNode, type OperationDefinitionNode } from 'graphql';

/** One operation of the contract with the fragments that it needs, as a client sends it. */
export function contractDocument(name: string): string {
  const contract = parse(readFileSync(new URL('../../../test/contract/journeys.graphql', import.meta.url), 'utf8'));
  const fragments = new Map<string, FragmentDefinitionNode>();
  let operation: OperationDefinitionNode | null = null;
  for (const definition of contract.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
    else if (definition.kind === Kind.OPERATION_DEFINITION && definition.name?.value === name) operation = definition;
  }
  if (operation === null) throw new Error(`the contract has no operation ${name}`);
  const needed = new Set<FragmentDefinitionNode>();
  const collect = (node: OperationDefinitionNode | FragmentDefinitionNode): void => void visit(node, {
    FragmentSpread({ name: { value } }) {
      const fragment = fragments.get(value)!;
      if (needed.has(fragment)) return;
      needed.add(fragment);
      collect(fragment);
    },
  });
  collect(operation);
  return [operation, ...needed].map(print).join('\n');
}

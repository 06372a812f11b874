import { readFileSync } from 'node:fs';
import { parse, separateOperations, type DocumentNode } from 'graphql';

/** Where the contract's documents stand: run from the root of the repository, as jest is. */
const JOURNEYS = 'test/contract/journeys.graphql';

/** The text of the whole file, as clients get it. */
export function contractText(): string {
  return readFileSync(JOURNEYS, 'utf8');
}

/** Every operation of the contract by its name, in the order of the file; each with the fragments that it needs. */
export function contractDocuments(): Map<string, DocumentNode> {
  return new Map(Object.entries(separateOperations(parse(contractText()))));
}

/**
 * One operation of the contract with the fragments that it needs, verbatim: definitions are cut out of the file, comments within them included.
 * Throws for a name that isn't there.
 */
export function contractDocument(name: string): string {
  const text = contractText();
  const document = separateOperations(parse(text))[name];
  if (document === undefined) throw new Error(`The contract has no operation ${name}.`);
  return document.definitions.map(({ loc }) => text.slice(loc!.start, loc!.end)).join('\n');
}

import { readFileSync } from 'node:fs';
import { buildSchema, findBreakingChanges, findDangerousChanges } from 'graphql';

/** The SDL as it is, and as clients of the last release know it. */
export const CURRENT_SDL = 'schema/schema.graphql';
export const RELEASED_SDL = 'schema/released/schema.graphql';
/** Breaks since then that are meant: `[{ change, reason }]`, where `change` is the description that `npm run schema:diff` prints. */
export const ACCEPTED_BREAKS = 'schema/released/accepted-breaks.json';

/** What clients of the old schema would notice in the new one, in words (https://www.graphql-js.org/api-v16/utilities/#schema-changes). */
export interface SchemaChanges {
  /** Valid documents stop to be valid, or to mean the same. */
  breaking: string[];
  /** What a careless client may trip over: new values of enums, new members of unions. */
  dangerous: string[];
}

/** A break that is meant, with its reason for the changelog. */
export interface AcceptedBreak {
  change: string;
  reason: string;
}

/** Compares two schemas, given as SDL. */
export function schemaChanges(before: string, after: string): SchemaChanges {
  const [older, newer] = [buildSchema(before), buildSchema(after)];
  return { breaking: findBreakingChanges(older, newer).map(describe), dangerous: findDangerousChanges(older, newer).map(describe) };
}

/** Of the committed files. */
export function changesSinceRelease(): SchemaChanges & { accepted: AcceptedBreak[] } {
  return { ...schemaChanges(readFileSync(RELEASED_SDL, 'utf8'), readFileSync(CURRENT_SDL, 'utf8')), accepted: JSON.parse(readFileSync(ACCEPTED_BREAKS, 'utf8')) as AcceptedBreak[] };
}

function describe({ type, description }: { type: string; description: string }): string {
  return `${type}: ${description}`;
}

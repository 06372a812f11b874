import { createHash } from 'node:crypto';
import { canonicalJson } from '../json/canonical.js';
import { isRawNumber } from '../json/raw-json.js';
import type { RawTool } from './session.js';

/** The parts of a definition that decide what a tool does: a change in any of them is a changed tool. */
const HASHED = ['name', 'description', 'inputSchema', 'outputSchema', 'annotations'] as const;
const MAX_CHANGES = 50;
const MAX_SHOWN = 500;

/** One difference; `path` is a JSON pointer, absent sides are absent, long values are cut to their beginning as text. */
export interface DefinitionChange {
  path: string;
  from?: unknown;
  to?: unknown;
}

/** What changed from one definition to the next, for a person to read. `truncated`: there were more than fifty differences. */
export interface DefinitionDiff {
  changes: DefinitionChange[];
  truncated: boolean;
}

/** SHA-256, in hex, over name, description, schemas and annotations. Titles, icons and `_meta` don't count. */
export function definitionHash(tool: RawTool): string {
  return createHash('sha256').update(canonicalJson(hashedParts(tool))).digest('hex');
}

/** The differences that made the hash move, in the order of their paths. */
export function diffDefinitions(from: RawTool, to: RawTool): DefinitionDiff {
  const changes: DefinitionChange[] = [];
  compare(hashedParts(from), hashedParts(to), '', changes);
  return { changes: changes.slice(0, MAX_CHANGES), truncated: changes.length > MAX_CHANGES };
}

function hashedParts(tool: RawTool): Record<string, unknown> {
  return Object.fromEntries(HASHED.filter((part) => tool[part] !== undefined).map((part) => [part, tool[part]]));
}

function compare(from: unknown, to: unknown, path: string, changes: DefinitionChange[]): void {
  if (changes.length > MAX_CHANGES) return;
  if (isBranch(from) && isBranch(to) && Array.isArray(from) === Array.isArray(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])];
    if (!Array.isArray(from)) keys.sort();
    for (const key of keys) {
      const below = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      compare(Object.hasOwn(from, key) ? from[key] : undefined, Object.hasOwn(to, key) ? to[key] : undefined, below, changes);
    }
  } else if (spelled(from) !== spelled(to)) {
    changes.push({ path, ...(from === undefined ? {} : { from: shown(from) }), ...(to === undefined ? {} : { to: shown(to) }) });
  }
}

/** Null, which no JSON spells like that, for what isn't there. */
function spelled(value: unknown): string | null {
  return value === undefined ? null : canonicalJson(value);
}

function shown(value: unknown): unknown {
  const text = typeof value === 'string' ? value : canonicalJson(value);
  return text.length <= MAX_SHOWN ? value : `${text.slice(0, MAX_SHOWN)}…`;
}

function isBranch(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !isRawNumber(value);
}

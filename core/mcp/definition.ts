import { createHash } from 'node:crypto';
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

/**
 * JSON with sorted keys and no white space, the same for equal values whatever order they came in; integers beyond 2^53 keep their digits.
 * https://www.rfc-editor.org/rfc/rfc8785
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object' || isRawJson(value)) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`;
  const entries = Object.entries(value).filter(([, child]) => child !== undefined);
  // The default order is by UTF-16 code units, as the RFC wants it.
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, child]) => `${JSON.stringify(key)}:${canonicalJson(child)}`).join(',')}}`;
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
      compare(Object.hasOwn(from, key) ? from[key] : undefined, Object.hasOwn(to, key) ? to[key] : undefined, `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, changes);
    }
  } else if (canonicalJson(from) !== canonicalJson(to) || (from === undefined) !== (to === undefined)) {
    changes.push({ path, ...(from === undefined ? {} : { from: shown(from) }), ...(to === undefined ? {} : { to: shown(to) }) });
  }
}

function shown(value: unknown): unknown {
  const text = typeof value === 'string' ? value : canonicalJson(value);
  return text.length <= MAX_SHOWN ? value : `${text.slice(0, MAX_SHOWN)}…`;
}

function isBranch(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !isRawJson(value);
}

/** Numbers that were parsed without loss are objects that stand for their digits. https://tc39.es/proposal-json-parse-with-source/ */
function isRawJson(value: object): boolean {
  return (JSON as unknown as { isRawJSON(value: unknown): boolean }).isRawJSON(value);
}

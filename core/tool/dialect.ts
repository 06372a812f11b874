import { quotePeer } from '#core/errors.js';
import { SchemaUnusable } from './schema-unusable.js';

/** The dialects that are checked natively; draft-06 and draft-04 are read as draft-07. */
export type Dialect = '2020-12' | '2019-09' | 'draft-07';

/** A schema, and the dialect by which it is meant. */
export interface DialectSchema {
  dialect: Dialect;
  schema: Record<string, unknown> | boolean;
}

const DIALECTS: Readonly<Record<string, Dialect | 'draft-04'>> = {
  'json-schema.org/draft/2020-12/schema': '2020-12',
  'json-schema.org/schema': '2020-12',
  'json-schema.org/draft/2019-09/schema': '2019-09',
  'json-schema.org/draft-07/schema': 'draft-07',
  'json-schema.org/draft-06/schema': 'draft-07',
  'json-schema.org/draft-04/schema': 'draft-04',
};

/**
 * Tells a schema's dialect by its `$schema`; without one it is 2020-12. An unknown dialect is refused, as MCP asks
 * ({@link https://modelcontextprotocol.io/specification/2025-11-25/basic#json-schema-usage MCP, JSON Schema usage}). Draft-04 is rewritten to draft-07.
 * Never changes the schema that it is given. Throws {@link SchemaUnusable}.
 */
export function readDialect(schema: unknown): DialectSchema {
  if (typeof schema === 'boolean') return { dialect: '2020-12', schema };
  if (!isObject(schema)) throw new SchemaUnusable('The schema is neither an object nor a boolean.');
  const uri = schema['$schema'];
  if (uri === undefined) return { dialect: '2020-12', schema: withoutLoneNullable(schema) };
  const dialect = typeof uri === 'string' ? DIALECTS[uri.replace(/^https?:\/\//, '').replace(/#$/, '')] : undefined;
  if (dialect === undefined) {
    throw new SchemaUnusable(`The schema's dialect ${quotePeer(typeof uri === 'string' ? uri : typeof uri)} is not supported: use 2020-12, 2019-09, or draft 7, 6 or 4.`);
  }
  if (dialect === 'draft-04') return { dialect: 'draft-07', schema: withoutLoneNullable(asDraft07(schema)) };
  return { dialect, schema: withoutLoneNullable(schema) };
}

/**
 * What draft-04 spells differently: `id`, and limits made exclusive by a boolean beside them.
 * {@link https://json-schema.org/draft-06/json-schema-release-notes Release notes of draft-06}
 */
function asDraft07(schema: Record<string, unknown>): Record<string, unknown> {
  return rewrite(schema, (node) => {
    const { id, exclusiveMinimum, exclusiveMaximum, ...rest } = node;
    const rewritten: Record<string, unknown> = rest;
    if (typeof id === 'string') rewritten['$id'] = id;
    else if (id !== undefined) rewritten['id'] = id;
    for (const [name, limit, exclusive] of [['exclusiveMinimum', 'minimum', exclusiveMinimum], ['exclusiveMaximum', 'maximum', exclusiveMaximum]] as const) {
      if (typeof exclusive !== 'boolean') {
        if (exclusive !== undefined) rewritten[name] = exclusive;
      } else if (exclusive && typeof node[limit] === 'number') {
        rewritten[name] = node[limit];
        delete rewritten[limit];
      }
    }
    return rewritten;
  });
}

/** OpenAPI's `nullable` means nothing in JSON Schema, but Ajv refuses the whole schema where there is no `type` beside it. */
function withoutLoneNullable(schema: Record<string, unknown>): Record<string, unknown> {
  if (!hasLoneNullable(schema, 0)) return schema;
  return rewrite(schema, (node) => {
    if (typeof node['nullable'] !== 'boolean' || node['type'] !== undefined) return node;
    const { nullable: _, ...rest } = node;
    return rest;
  });
}

function hasLoneNullable(node: unknown, depth: number): boolean {
  if (typeof node !== 'object' || node === null || depth > MAX_DEPTH) return false;
  if (isObject(node) && typeof node['nullable'] === 'boolean' && node['type'] === undefined) return true;
  return Object.values(node).some((child) => hasLoneNullable(child, depth + 1));
}

/** Copies a schema, each object changed by a function. Lists of `enum` stay as they are: they are data, not schemas. */
function rewrite(schema: Record<string, unknown>, change: (node: Record<string, unknown>) => Record<string, unknown>): Record<string, unknown> {
  const walk = (node: unknown, depth: number): unknown => {
    if (typeof node !== 'object' || node === null || depth > MAX_DEPTH) return node;
    if (Array.isArray(node)) return node.map((item) => walk(item, depth + 1));
    const entries = Object.entries(change(node as Record<string, unknown>));
    return Object.fromEntries(entries.map(([name, child]) => [name, name === 'enum' && Array.isArray(child) ? child : walk(child, depth + 1)]));
  };
  return walk(schema, 0) as Record<string, unknown>;
}

/** Deeper schemas are refused by the survey anyhow. */
const MAX_DEPTH = 200;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

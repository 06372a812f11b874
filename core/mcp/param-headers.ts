import type { CallTraits, HeaderParam, RawTool } from './session.js';

const KEYWORD = 'x-mcp-header';
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const PERMITTED_TYPES = new Set<unknown>(['string', 'integer', 'boolean']);
/** Nobody nests an annotated parameter deeper; it also bounds the walk. */
const MAX_DEPTH = 64;

/** Why a tool's annotations make its definition invalid, or where its header parameters are. */
export type HeaderParamScan = { params: HeaderParam[] } | { fault: string };

/**
 * Finds the parameters that a modern client must repeat as headers. A schema with an annotation that is malformed, not unique, not of a
 * primitive type, or not reachable through `properties` alone makes the whole tool invalid, and the client must leave it out.
 * https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http
 */
export function scanHeaderParams(inputSchema: Record<string, unknown>): HeaderParamScan {
  const params: HeaderParam[] = [];
  const seen = new Set<string>();

  const declare = (schema: Record<string, unknown>, path: string[] | null): string | null => {
    const header = schema[KEYWORD];
    if (path === null || path.length === 0) return `${KEYWORD} stands where no header can be made from it`;
    if (typeof header !== 'string' || !TOKEN.test(header)) return `${KEYWORD} of "${path.join('.')}" is not a header name`;
    if (!PERMITTED_TYPES.has(schema['type'])) return `${KEYWORD} of "${path.join('.')}" needs the type string, integer or boolean`;
    if (seen.has(header.toLowerCase())) return `${KEYWORD} "${header}" is declared twice`;
    seen.add(header.toLowerCase());
    params.push({ path, header });
    return null;
  };

  /** `path` is null below anything but `properties`: an annotation there is a fault. */
  const walk = (node: unknown, path: string[] | null, depth: number): string | null => {
    if (node === null || typeof node !== 'object') return null;
    if (depth > MAX_DEPTH) return 'the schema is nested too deeply';
    if (Array.isArray(node)) return first(node, (item) => walk(item, path, depth + 1));
    const schema = node as Record<string, unknown>;
    if (KEYWORD in schema) {
      const fault = declare(schema, path);
      if (fault !== null) return fault;
    }
    return first(Object.entries(schema), ([keyword, value]) => {
      if (keyword === 'properties' && isObject(value)) {
        return first(Object.entries(value), ([key, child]) => walk(child, path === null ? null : [...path, key], depth + 1));
      }
      if (MAPS.has(keyword) && isObject(value)) return first(Object.values(value), (child) => walk(child, null, depth + 1));
      return SUBSCHEMAS.has(keyword) ? walk(value, null, depth + 1) : null;
    });
  };

  const fault = walk(inputSchema, [], 0);
  return fault === null ? { params } : { fault };
}

/** Keywords that hold a schema or a list of schemas: what lies below isn't reachable through `properties` alone. */
const SUBSCHEMAS = new Set(['items', 'prefixItems', 'contains', 'additionalProperties', 'unevaluatedProperties', 'unevaluatedItems', 'propertyNames',
  'oneOf', 'anyOf', 'allOf', 'not', 'if', 'then', 'else']);
/** Keywords that hold schemas by name. */
const MAPS = new Set(['patternProperties', 'dependentSchemas', '$defs', 'definitions']);

function first<T>(items: readonly T[], find: (item: T) => string | null): string | null {
  for (const item of items) {
    const found = find(item);
    if (found !== null) return found;
  }
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** What `callTool` needs to know of a definition. To be kept with the definition: it costs a walk over the schema. */
export function callTraits(tool: RawTool): CallTraits {
  const scan = scanHeaderParams(tool.inputSchema);
  const execution = tool['execution'];
  return {
    taskRequired: isObject(execution) && execution['taskSupport'] === 'required',
    headerParams: 'params' in scan ? scan.params : [],
  };
}

/** The `Mcp-Param-*` headers of one call: absent and null values have none, neither have values that aren't primitive. */
export function paramHeaders(params: readonly HeaderParam[], args: Record<string, unknown>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { path, header } of params) {
    const value = path.reduce<unknown>((node, key) => (isObject(node) && Object.hasOwn(node, key) ? node[key] : undefined), args);
    const text = primitiveText(value);
    if (text !== null) headers[`Mcp-Param-${header}`] = headerText(text);
  }
  return headers;
}

function primitiveText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)) ? String(value) : null;
  return null;
}

/** A value as a header field: as it is where that is unambiguous ASCII, else in the form `=?base64?…?=`. */
export function headerText(text: string): string {
  const plain = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !(text.startsWith('=?base64?') && text.endsWith('?='));
  return plain ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`;
}

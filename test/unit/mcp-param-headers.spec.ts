import { callTraits, headerText, paramHeaders, scanHeaderParams } from '#core/mcp/param-headers.js';

const string = (header: unknown, type = 'string') => ({ type, 'x-mcp-header': header });
const object = (properties: object) => ({ type: 'object', properties });

it('finds annotated parameters at any depth of properties', () => {
  expect(scanHeaderParams(object({ a: string('A'), b: object({ c: string('C', 'integer') }), d: { type: 'string' } }))).toEqual({
    params: [{ path: ['a'], header: 'A' }, { path: ['b', 'c'], header: 'C' }],
  });
});

it.each([
  ['not a name', object({ a: string('no spaces') })], ['empty', object({ a: string('') })], ['not text', object({ a: string(7) })],
  ['a number', object({ a: string('A', 'number') })], ['an object', object({ a: { ...object({}), 'x-mcp-header': 'A' } })], ['untyped', object({ a: { 'x-mcp-header': 'A' } })],
  ['twice, but for case', object({ a: string('A'), b: string('a') })], ['at the root', string('A')],
  ['in items', object({ a: { type: 'array', items: string('A') } })], ['in oneOf', object({ a: { oneOf: [string('A')] } })],
  ['in $defs', { ...object({}), $defs: { x: string('A') } }], ['below additionalProperties', { type: 'object', additionalProperties: object({ a: string('A') }) }],
])('an annotation that is %s makes the tool invalid', (_what, schema) => {
  expect(scanHeaderParams(schema as Record<string, unknown>)).toHaveProperty('fault');
});

it('a parameter that is merely called x-mcp-header is no annotation', () => {
  expect(scanHeaderParams(object({ 'x-mcp-header': { type: 'string' } }))).toEqual({ params: [] });
});

it('makes headers of primitive values, leaving out what is absent, null or not primitive', () => {
  const params = ['s', 'i', 'b', 'n', 'missing', 'o'].map((key) => ({ path: [key], header: key.toUpperCase() }));
  expect(paramHeaders(params, { s: 'plain', i: 42, b: false, n: null, o: {} })).toEqual({ 'Mcp-Param-S': 'plain', 'Mcp-Param-I': '42', 'Mcp-Param-B': 'false' });
  expect(paramHeaders([{ path: ['constructor', 'name'], header: 'X' }], {})).toEqual({});
});

it.each([
  ['plain text', 'plain text'], ['', '=?base64??='], [' lead', '=?base64?IGxlYWQ=?='], ['trail ', '=?base64?dHJhaWwg?='], ['Köln', '=?base64?S8O2bG4=?='],
  ['a\r\nX-Evil: 1', '=?base64?YQ0KWC1FdmlsOiAx?='], ['=?base64?QQ==?=', '=?base64?PT9iYXNlNjQ/UVE9PT89?='],
])('%j becomes the field value %s', (text, field) => {
  expect(headerText(text)).toBe(field);
});

it('knows the tools that only run as a task', () => {
  const tool = { name: 't', inputSchema: {} };
  expect(callTraits({ ...tool, execution: { taskSupport: 'required' } }).taskRequired).toBe(true);
  expect(callTraits({ ...tool, execution: { taskSupport: 'optional' } }).taskRequired).toBe(false);
  expect(callTraits(tool).taskRequired).toBe(false);
});

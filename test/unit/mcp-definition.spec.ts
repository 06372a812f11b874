import { parseLossless } from '#core/json/lossless.js';
import { definitionHash, diffDefinitions } from '#core/mcp/definition.js';

const TOOL = { name: 'sum', title: 'Sum', description: 'Adds.', inputSchema: { type: 'object', properties: { a: { type: 'number' } } }, annotations: { readOnlyHint: true } };

it('the hash does not depend on the order of keys, on titles, icons or metadata', () => {
  const same = { annotations: { readOnlyHint: true }, inputSchema: { properties: { a: { type: 'number' } }, type: 'object' }, description: 'Adds.', name: 'sum', title: 'Other', _meta: { x: 1 } };
  expect(definitionHash(same)).toBe(definitionHash(TOOL));
  expect(definitionHash(TOOL)).toBe('418968920c0d69db16f52865a676767a757541e6bf4734e77761a5e04ed51c17');
});

it.each([
  ['name', { name: 'sums' }], ['description', { description: 'Adds!' }], ['input schema', { inputSchema: { type: 'object' } }], ['output schema', { outputSchema: {} }], ['annotations', { annotations: {} }],
])('another %s is another hash', (_part, change) => {
  expect(definitionHash({ ...TOOL, ...change })).not.toBe(definitionHash(TOOL));
});

it('integers beyond 2^53 that differ in their last digit are different definitions', () => {
  const limited = (limit: string) => ({ ...TOOL, inputSchema: parseLossless(`{"maximum":${limit}}`) as Record<string, unknown> });
  expect(definitionHash(limited('9007199254740993'))).not.toBe(definitionHash(limited('9007199254740992')));
  expect(JSON.stringify(diffDefinitions(limited('9007199254740993'), limited('9007199254740995')).changes)).toBe('[{"path":"/inputSchema/maximum","from":9007199254740993,"to":9007199254740995}]');
});

it('the diff names what changed, with a pointer, from and to', () => {
  const after = { ...TOOL, description: 'Adds, and mails the result.', inputSchema: { type: 'object', properties: { 'b/c': { type: 'string' } } }, annotations: undefined };
  expect(diffDefinitions(TOOL, after)).toEqual({ truncated: false, changes: [
    { path: '/annotations', from: { readOnlyHint: true } },
    { path: '/description', from: 'Adds.', to: 'Adds, and mails the result.' },
    { path: '/inputSchema/properties/a', from: { type: 'number' } },
    { path: '/inputSchema/properties/b~1c', to: { type: 'string' } },
  ] });
  expect(diffDefinitions(TOOL, TOOL).changes).toEqual([]);
});

it('the diff is bounded in length and in what it shows', () => {
  const wide = (value: string) => ({ ...TOOL, inputSchema: Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`k${i}`, value])) });
  const diff = diffDefinitions(wide('x'.repeat(2_000)), wide('y'));
  expect([diff.changes.length, diff.truncated]).toEqual([50, true]);
  expect((diff.changes[0]!.from as string).length).toBe(501);
});

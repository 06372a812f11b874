import { recordedFault } from '#api/call/recorded-fault.js';
import type { ToolCallFault } from '#core/store/entities/tool-call.entity.js';

const fault = (message: string): ToolCallFault => ({ code: 'PROTOCOL_ERROR', message, retryable: false, retryAfterMs: null, action: null });
const LEFT_OUT = '… (what follows repeats arguments, and isn\'t kept)';

it.each<[string, object, string, string]>([
  ['a text', { customer: 'Jane Roe' }, 'The server answered with error 5: "no Jane Roe here".', `The server answered with error 5: "no ${LEFT_OUT}`],
  ['a text far down', { a: [{ b: { c: 'somewhere below' } }] }, 'It said somewhere below.', `It said ${LEFT_OUT}`],
  ['a text that JSON escapes', { text: 'say "hello"' }, 'It said "say \\"hello\\"".', `It said "${LEFT_OUT}`],
  ['the beginning of a long text', { text: 'x'.repeat(1_000) }, `It said "${'x'.repeat(199)}…".`, `It said "${LEFT_OUT}`],
  ['the first of several', { one: 'text number one', two: 'text number two' }, 'text number two, text number one', LEFT_OUT],
])('%s in a message is left out of the record, with all that follows', (_name, args, message, kept) => {
  expect(recordedFault(fault(message), args as Record<string, unknown>)).toEqual(fault(kept));
});

it('a message that repeats nothing, short words, and names stay', () => {
  const same = fault('The server failed with HTTP 500.');
  expect(recordedFault(same, { n: 500, short: 'HTTP', other: 'another text', none: null, 'The server failed': 1 })).toBe(same);
  expect(recordedFault(null, { text: 'whatever' })).toBe(null);
});

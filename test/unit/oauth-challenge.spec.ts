import { insufficientScope, oauthChallenge, parseChallenges } from '#core/oauth/challenge.js';

it.each([
  ['Bearer', [{ scheme: 'bearer', parameters: {} }]],
  ['Bearer realm="a, b=\\"c\\"", scope="x y"', [{ scheme: 'bearer', parameters: { realm: 'a, b="c"', scope: 'x y' } }]],
  ['Basic realm="x", Bearer error=invalid_token', [{ scheme: 'basic', parameters: { realm: 'x' } }, { scheme: 'bearer', parameters: { error: 'invalid_token' } }]],
  ['Negotiate YWJj==, Bearer scope=a', [{ scheme: 'negotiate', parameters: {} }, { scheme: 'bearer', parameters: { scope: 'a' } }]],
  ['Basic, Negotiate', [{ scheme: 'basic', parameters: {} }, { scheme: 'negotiate', parameters: {} }]],
  [', ,Bearer  Realm = "x" ,', [{ scheme: 'bearer', parameters: { realm: 'x' } }]],
  ['Bearer scope="a", scope="b"', [{ scheme: 'bearer', parameters: { scope: 'a' } }]],
  ['Bearer resource_metadata=https://x.example/a?b=c, scope="q"', [{ scheme: 'bearer', parameters: { resource_metadata: 'https://x.example/a?b=c', scope: 'q' } }]],
  ['Bearer realm="never closed', [{ scheme: 'bearer', parameters: { realm: '' } }]],
  ['', []],
  ['"', []],
])('reads %s', (header, expected) => {
  expect(parseChallenges(header).map(({ scheme, parameters }) => ({ scheme, parameters: { ...parameters } }))).toEqual(expected);
});

it('takes the OAuth part of the first challenge that names resource metadata', () => {
  const header = 'Basic realm="x", Bearer realm="y", Bearer resource_metadata="https://x.example/m", scope="a  b"';
  expect(oauthChallenge(header)).toEqual({ resourceMetadata: 'https://x.example/m', scopes: ['a', 'b'], error: null });
});

it('finds no OAuth where there is none', () => {
  expect(oauthChallenge('Basic realm="x"')).toBeNull();
  expect(oauthChallenge(null)).toBeNull();
});

it('tells which scopes a step-up asks for', () => {
  expect(insufficientScope('Bearer error="insufficient_scope", scope="files:write"')).toEqual(['files:write']);
  expect(insufficientScope('Bearer error="insufficient_scope"')).toEqual([]);
  expect(insufficientScope('Bearer error="invalid_token", scope="a"')).toBeNull();
});

it('reads hostile headers without getting lost in them', () => {
  for (const header of ['Bearer '.repeat(1_100), `Bearer ${'a='.repeat(4_000)}`, `Bearer ${'a'.repeat(8_000)}"`, `Bearer x="${'\\'.repeat(8_000)}`, 'Bearer x="y",'.repeat(600), ',='.repeat(4_000)]) {
    expect(Array.isArray(parseChallenges(header.slice(0, 8_192)))).toBe(true);
  }
  expect(parseChallenges('Bearer '.repeat(2_000))).toEqual([]);
});

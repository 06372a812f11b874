import { scopesToRequest, scopeUnion } from '#core/oauth/scopes.js';

const discovery = (challengeScopes: string[], scopesSupported: string[], server: string[] = []) => ({
  challengeScopes, scopesSupported, metadata: { issuer: 'https://as', authorization_endpoint: 'https://as/a', token_endpoint: 'https://as/t', scopes_supported: server },
});

it('asks for what is configured, else for the challenge\'s, else for what is supported, else for nothing', () => {
  expect(scopesToRequest(discovery(['b'], ['c']), ['a'])).toEqual(['a']);
  expect(scopesToRequest(discovery(['b'], ['c']), [])).toEqual(['b']);
  expect(scopesToRequest(discovery([], ['c']), [])).toEqual(['c']);
  expect(scopesToRequest(discovery([], []), [])).toEqual([]);
});

it('adds offline_access only where it is advertised, and never alone', () => {
  expect(scopesToRequest(discovery(['b'], []), [])).toEqual(['b']);
  expect(scopesToRequest(discovery(['b'], [], ['offline_access']), [])).toEqual(['b', 'offline_access']);
  expect(scopesToRequest(discovery([], [], ['offline_access']), [])).toEqual([]);
  expect(scopesToRequest(discovery(['b', 'offline_access'], []), [])).toEqual(['b']);
  expect(scopesToRequest(discovery([], []), ['offline_access', 'a'])).toEqual(['offline_access', 'a']);
});

it('asks at a step-up for the union of all', () => {
  expect(scopesToRequest(discovery(['b'], []), ['a'], ['a', 'w'])).toEqual(['a', 'w']);
  expect(scopeUnion(['a', 'b'], ['b', 'c'], [])).toEqual(['a', 'b', 'c']);
});

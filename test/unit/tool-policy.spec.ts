import fc from 'fast-check';
import { nameMatches, toolAllowed } from '#core/tool/policy.js';

describe('toolAllowed', () => {
  test.each([
    ['no lists', {}, true], ['null lists', { allow: null, deny: null }, true], ['empty lists', { allow: [], deny: [] }, true],
    ['an allow list that names it', { allow: ['drop_table'] }, true], ['an allow list that names another', { allow: ['read'] }, false],
    ['an allow list with a pattern', { allow: ['drop_*'] }, true], ['a deny list with a pattern', { deny: ['*_table'] }, false],
    ['both lists: deny wins', { allow: ['*'], deny: ['drop_table'] }, false], ['another case', { allow: ['Drop_Table'] }, false],
  ])('decides by %s', (_what, lists, allowed) => {
    expect(toolAllowed(lists, 'drop_table')).toBe(allowed);
  });
});

describe('nameMatches', () => {
  test('means what the expression with .* for each star means', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.', '_'), maxLength: 8 });
    fc.assert(fc.property(part, part, (pattern, name) => {
      const expression = new RegExp(`^${pattern.replaceAll('.', '\\.').replace(/\*+/g, '.*')}$`, 's');
      expect(nameMatches(pattern, name.replaceAll('*', 'a'))).toBe(expression.test(name.replaceAll('*', 'a')));
    }), { numRuns: 5000 });
  });

  test('takes a hostile pattern in its stride', () => {
    expect(nameMatches(`${'*a'.repeat(1000)}*b`, 'a'.repeat(5000))).toBe(false);
  });
});

import fc from 'fast-check';
import { anyPattern, linearPattern } from '#core/tool/pattern.js';

const SUBJECTS = ['', 'a', 'A', 'ab', 'aab', 'abc', '-', '_', '.', '/', '\n', 'a\n', '\r', '\u2028', '\v', '\u00a0', '\ufeff', ' ', '0', '9', '12', 'é', '😀', 'a😀b', '[', ']', '[:a', ':', '\\', '^', '{', '{2}', 'x-y', 'a.b', '$', '\b', '\0'];

describe('linearPattern', () => {
  test.each([
    '^[a-z][a-z0-9-]{0,38}$', '^.$', '^..$', '\\s', '^\\S+$', '[\\s.]', '[^\\s]', '^[\\w.-]+$', '^[\\w-]$', '[[:a]', '^\\d{1,2}$', '^\\u0061+$', '\\x61', '^\\u{1F600}$', '^\\uD83D\\uDE00$',
    '^(?<year>a+)b$', '(?:a|b)*c', '^(a+)+$', 'a{2}', 'a{2,}', 'a*?b', '\\bab\\b', '^\\p{L}+$', '^\\P{Lu}$', '[\\b]', '\\0', '^[^a-c]$', '[a-]', '[-a]', '[.\\-_]', '\\/', '\\.', '^[$^]$', '', '|a', '^\\B', '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$', '^.{1,1000}$', '[\\]]', '[\\\\]', '^[\\d_-]$',
  ])('means what the backtracking engine means by %s', (source) => {
    const linear = linearPattern(source);
    expect(linear).not.toBeNull();
    let native: RegExp;
    try {
      native = new RegExp(source, 'u');
    } catch {
      native = new RegExp(source);
    }
    for (const subject of SUBJECTS) expect([source, subject, linear!.test(subject)]).toEqual([source, subject, native.test(subject)]);
  });

  test('means what the backtracking engine means by any pattern that it takes', () => {
    const piece = fc.constantFrom('a', 'b', '.', '-', '_', '^', '$', '|', '(', ')', '(?:', '[', ']', '[^', '*', '+', '?', '{2}', '{1,3}', '\\d', '\\w', '\\W', '\\s', '\\S', '\\b', '\\.', '\\-', '\\]', '\\u0061', '\\n', '😀', ':', '&&', '0', '9', 'a-z', '/');
    let compared = 0;
    fc.assert(fc.property(fc.array(piece, { maxLength: 8 }), fc.array(fc.constantFrom(...SUBJECTS), { maxLength: 4 }), (parts, subject) => {
      const source = parts.join('');
      const linear = linearPattern(source);
      let native: RegExp;
      try {
        native = new RegExp(source, 'u');
      } catch {
        return;
      }
      if (linear === null) return;
      compared += 1;
      expect([subject.join(''), ...SUBJECTS].filter((text) => linear.test(text) !== native.test(text))).toEqual([]);
    }), { numRuns: 3000 });
    expect(compared).toBeGreaterThan(300);
  });

  test.each(['(?=a)', '(?!a)', '(?<=a)', '(?<!a)', '(a)\\1', '(?<n>a)\\k<n>', 'a{1001}', '[]', '[^]', '\\p{Script=Greek}', '\\cA', '(', '[a', '\\', '\\A', 'a'.repeat(1001), '(abcdefghijklmnopqrstu){1000}', '(?i)a', '(?i:a)', '\\ud800'])('leaves %s to the limited lane', (source) => {
    expect(linearPattern(source)).toBeNull();
  });

  test('takes a pattern that would hang the backtracking engine in its stride', () => {
    expect(linearPattern('^(a+)+$')!.test(`${'a'.repeat(100_000)}!`)).toBe(false);
    expect(linearPattern('^(a|a)*$')!.test(`${'a'.repeat(100_000)}!`)).toBe(false);
  });
});

describe('anyPattern', () => {
  test.each([['(?=.*\\d)a', 'xa', false], ['^(?=.*\\d)a', 'a1', true], ['(a)\\1', 'aa', true], ['(?i)^abc$', 'ABC', true], ['\\Aab\\z', 'ab', true], ['\\Aab\\z', 'Aabz', false], ['^(?=a)\\-|a', 'a', true]])('takes %s', (source, text, matches) => {
    expect(anyPattern(source).test(text)).toBe(matches);
  });
  test.each(['(', '[a', '(?=a)\\Z', '\\Z'])('refuses %s, which means nothing to it', (source) => {
    expect(() => anyPattern(source)).toThrow(SyntaxError);
  });
});

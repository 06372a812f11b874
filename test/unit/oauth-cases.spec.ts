import { readFileSync } from 'node:fs';

const rows = readFileSync('docs/oauth-cases.md', 'utf8').split('\n').filter((line) => line.startsWith('| ') && line.includes('.spec.ts')).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()) as [string, string, string]);

it('names cases', () => expect(rows.length).toBeGreaterThan(20));

it.each(rows)('%s: %s has the test', (_case, file, test) => {
  const source = readFileSync(file, 'utf8').replaceAll('\\\'', '\'');
  expect(source).toContain(`'${test}'`);
});

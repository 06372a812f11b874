import { createProgram, type Actions } from '#cli/program.js';
import { KEYS } from '#core/config/keys.js';

function helpOf(path: string[]): string {
  let text = '';
  const write = (part: string) => { text += part; };
  const program = createProgram({} as Actions, { out: write, err: write });
  expect(() => program.parse([...path, '--help'], { from: 'user' })).toThrow(expect.objectContaining({ exitCode: 0 }));
  return text;
}

test.each([['dev'], ['api'], ['operator'], ['migrate'], ['probe'], ['keys generate'], ['keys list'], ['keys status'], ['keys rotate'], ['keys retire'], ['mirror release']])('%s has help with examples, and names only settings that there are', (command) => {
  const help = helpOf(command.split(' '));
  expect(help).toMatch(/^Usage: fairlead /);
  expect(help).toContain(`\nExamples:\n`);
  for (const [name] of help.matchAll(/\b(FAIRLEAD_[A-Z_]+|DATABASE_URL[A-Z_]*)\b/g)) expect(Object.keys(KEYS)).toContain(name.replace(/_FILE$/, ''));
});

test('Options stand for settings', async () => {
  const seen: unknown[] = [];
  const program = createProgram({ dev: async (settings) => { seen.push(settings); } } as Partial<Actions> as Actions, { out: () => undefined, err: () => undefined });
  await program.parseAsync(['dev', '--port', '0', '--state-dir', 'trial', '--config', 'x.json'], { from: 'user' });
  expect(seen).toEqual([{ PORT: '0', FAIRLEAD_STATE_DIR: 'trial', FAIRLEAD_CONFIG: 'x.json' }]);
});

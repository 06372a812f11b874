import { fileURLToPath } from 'node:url';
import { startChild } from '#test/support/child.js';

const DEMO = fileURLToPath(new URL('../demo/demo.js', import.meta.url));

function demo() {
  return startChild([process.execPath, DEMO], { env: { PATH: process.env['PATH'] } });
}

test('the demo tells its story to the end, and everything in it holds', async () => {
  const child = demo();
  expect({ ...await child.ended, errors: child.errors, wrong: child.output.filter((line) => line.includes('NOT SO')) }).toEqual({ code: 0, signal: null, errors: [], wrong: [] });
  expect(child.output.filter((line) => /✓ \S+ answers .*ms\)$|✓ get-tiny-image answers/.test(line)).length).toBeGreaterThanOrEqual(3);
  expect(child.output.filter((line) => line.includes('fairlead_outcome=READY'))).toHaveLength(2);
  expect(child.output.at(-1)).toMatch(/^All \d+ points held\./);
}, 300_000);

test('an interrupted demo says so, and leaves nothing running', async () => {
  const child = demo();
  const server = new URL((/http:\S+/.exec(await child.line(/server-everything answers at/)))![0]);
  await child.line(/starting Fairlead/);
  child.process.kill('SIGINT');
  expect((await child.ended).code).toBe(130);
  expect(child.output.join('\n')).toContain('Interrupted (SIGINT)');
  await expect(fetch(server)).rejects.toThrow();
});

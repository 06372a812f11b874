import { fileURLToPath } from 'node:url';
import { startChild } from '#test/support/child.js';

const MAIN = fileURLToPath(new URL('../bench/main.js', import.meta.url));

test('A few hundred calls through the shipped API: each nonce comes back, each call has its credential and its record', async () => {
  const bench = startChild([process.execPath, MAIN, '--smoke']);
  const { code } = await bench.ended;
  expect(bench.errors).toEqual([]);
  expect(bench.output.find((line) => line.startsWith('WRONG'))).toBeUndefined();
  expect(bench.output.find((line) => line.startsWith('RIGHT'))).toMatch(/Every nonce came back/);
  expect(code).toBe(0);
}, 300_000);

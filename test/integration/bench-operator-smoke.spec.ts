import { fileURLToPath } from 'node:url';
import { startChild } from '#test/support/child.js';

const MAIN = fileURLToPath(new URL('../bench/operator/main.js', import.meta.url));

test('The operator\'s benchmark, in short: a hundred servers are looked at in time, logins of a few seconds serve every call, and none is renewed twice', async () => {
  const bench = startChild([process.execPath, MAIN, '--smoke']);
  const { code } = await bench.ended;
  expect({ code, errors: bench.errors, wrong: bench.output.filter((line) => line.startsWith('WRONG')), told: bench.output })
    .toEqual({ code: 0, errors: [], wrong: [], told: expect.arrayContaining([expect.stringMatching(/^RIGHT/)]) });
}, 300_000);

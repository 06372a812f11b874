import { fileURLToPath } from 'node:url';
import { startChild } from '#test/support/child.js';

const MAIN = fileURLToPath(new URL('../soak/main.js', import.meta.url));

// Its seed is drawn anew in each run, and printed with what is wrong.
test('Thirty seconds of calls over bad servers and a dying API: every answer is the caller\'s own and on record, nothing runs twice or for ever, memory and sockets are flat', async () => {
  const soak = startChild([process.execPath, MAIN, '--seconds', '30']);
  const { code } = await soak.ended;
  expect({ code, errors: soak.errors, wrong: soak.output.filter((line) => line.startsWith('WRONG')), told: soak.output })
    .toEqual({ code: 0, errors: [], wrong: [], told: expect.arrayContaining([expect.stringMatching(/^RIGHT/)]) });
}, 300_000);

import { fileURLToPath } from 'node:url';
import { startChild } from '#test/support/child.js';

const MAIN = fileURLToPath(new URL('../chaos/main.js', import.meta.url));

// Its seed is drawn anew in each run, and printed with what is wrong: `npm run chaos -- --seconds 30 --people 4 --seed …` draws the same faults.
test('Thirty seconds of kills and pauses: no refresh token is presented twice unseen, no call is lost or mixed up, and all is well or says why not', async () => {
  const chaos = startChild([process.execPath, MAIN, '--seconds', '30', '--people', '4']);
  const { code } = await chaos.ended;
  expect({ code, errors: chaos.errors, wrong: chaos.output.filter((line) => line.startsWith('WRONG')), told: chaos.output })
    .toEqual({ code: 0, errors: [], wrong: [], told: expect.arrayContaining([expect.stringMatching(/^RIGHT/)]) });
}, 300_000);

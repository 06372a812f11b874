import { randomInt } from 'node:crypto';
import { progress, runProgram, say } from '#test/bench/program.js';
import { judge } from './judge.js';
import { planOf, USAGE, type Plan } from './plan.js';
import { summary } from './report.js';
import { Soak } from './soak.js';

/** `npm run soak`: whether thousands of calls over bad servers, and the death of an API, leave anything wrong behind. Exits with 1 if something is. */
async function main(plan: Plan): Promise<number> {
  say(`A soak of ${plan.forMs / 1000} s; to draw the same again: --seed ${plan.seed}`);
  const soak = await Soak.start(plan);
  try {
    const outcome = await soak.run(progress);
    progress('');
    say(summary(outcome));
    const wrongs = judge(outcome.evidence);
    for (const wrong of wrongs.slice(0, SHOWN)) say(`WRONG  ${wrong}`);
    if (wrongs.length > SHOWN) say(`WRONG  … and ${wrongs.length - SHOWN} more.`);
    if (wrongs.length > 0) return 1;
    say('RIGHT  Every answer was the caller\'s own, no call ran twice or with somebody else\'s credential, every answered call is on record, no call is left running, and memory and sockets are flat.');
    return 0;
  } finally {
    await soak.close();
  }
}

const SHOWN = 50;

await runProgram({ usage: USAGE, planOf: (flags) => planOf(flags, randomInt(2 ** 32)), main });

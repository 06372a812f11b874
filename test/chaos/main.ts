import { randomInt } from 'node:crypto';
import { progress, runProgram, say } from '#test/bench/program.js';
import { Chaos } from './chaos.js';
import { judge } from './judge.js';
import { planOf, USAGE, type Plan } from './plan.js';
import { summary } from './report.js';

/** `npm run chaos`: whether what must never happen doesn't, whatever dies when. Exits with 1 if something is wrong. */
async function main(plan: Plan): Promise<number> {
  say(`Chaos for ${plan.forMs / 1000} s; to draw the same again: --seed ${plan.seed}`);
  const chaos = await Chaos.start(plan);
  try {
    const outcome = await chaos.run(progress);
    progress('');
    say(summary(outcome));
    const wrongs = judge(outcome.evidence);
    if (outcome.settledAfterMs === null) wrongs.unshift('It didn\'t settle within two minutes.');
    for (const wrong of wrongs) say(`WRONG  ${wrong}`);
    if (wrongs.length > 0) return 1;
    say('RIGHT  No refresh token was presented twice but for a recorded loss, no two presentations overlapped, no call ran twice or went to somebody else, every answered call is on record, and everything is Ready but what says why not.');
    return 0;
  } finally {
    await chaos.close();
  }
}

await runProgram({ usage: USAGE, planOf: (flags) => planOf(flags, randomInt(2 ** 32)), main });

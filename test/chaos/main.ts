import { randomInt } from 'node:crypto';
import { Chaos } from './chaos.js';
import { judge } from './judge.js';
import { planOf, USAGE } from './plan.js';
import { summary } from './report.js';

/** `npm run chaos`: whether what must never happen doesn't, whatever dies when. Exits with 1 if something is wrong. */
async function main(flags: string[]): Promise<number> {
  if (flags.includes('--help')) return say(USAGE), 0;
  const plan = planOf(flags, randomInt(2 ** 32));
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

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** On a terminal, one line that is written over. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
  return 1;
});

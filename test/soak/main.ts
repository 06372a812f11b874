import { randomInt } from 'node:crypto';
import { judge } from './judge.js';
import { planOf, USAGE } from './plan.js';
import { summary } from './report.js';
import { Soak } from './soak.js';

/** `npm run soak`: whether thousands of calls over bad servers, and the death of an API, leave anything wrong behind. Exits with 1 if something is. */
async function main(flags: string[]): Promise<number> {
  if (flags.includes('--help')) return say(USAGE), 0;
  const plan = planOf(flags, randomInt(2 ** 32));
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

import { Bench } from './bench.js';
import { measurePage } from './page.js';
import { planOf, USAGE, type Plan } from './plan.js';
import { overloadText, overloadVerdicts } from './overload-report.js';
import { progress, runProgram, say } from './program.js';
import { comparisonText, largeText, largeVerdict, machineText, memoryText, pageText, pageVerdict, profileText, stretchVerdictsOn, verdictsOn, verdictText } from './report.js';

/**
 * `npm run bench`: how `callTool` compares to the SDK's client that calls the same server directly, side by side in one run, on one Node. Exits with 1 only
 * if something is wrong; a missed target is printed, with where the time goes.
 */
async function main(plan: Plan): Promise<number> {
  say(`${machineText()}\n`);
  const bench = await Bench.start();
  try {
    const comparisons = await bench.compare(plan, progress);
    progress('results of a mebibyte');
    const large = await bench.large(plan);
    const overload = await bench.overload(plan.overload, progress);
    progress(`${plan.sessions} sessions`);
    const memory = await bench.memory(plan.sessions);
    const page = await measurePage(plan.page, progress);
    const faults = [...await bench.check(), ...page.faults];
    progress('');
    const verdicts = [...verdictsOn(comparisons, memory), ...pageVerdict(page)];
    const missed = verdicts.some(({ met }) => !met);
    say(`${comparisonText(comparisons)}\n${largeText(large)}\n\n${overloadText(overload)}\n${memoryText(memory)}\n${pageText(page)}\n\n${verdictText(verdicts)}`);
    say(`(Medians of the rounds, their ranges in parentheses.) The next targets:\n${verdictText([...stretchVerdictsOn(comparisons), largeVerdict(large), ...overloadVerdicts(overload)])}`);
    for (const fault of faults) say(`WRONG  ${fault}`);
    if (faults.length > 0) return 1;
    say('RIGHT  Every nonce came back in its own answer, every call reached the server once and with its own credential, and every call is on record.\n');
    if (plan.profile === 'ALWAYS' || (plan.profile === 'WHEN_MISSED' && missed)) say(profileText(await bench.profile(plan.callers)));
    return 0;
  } finally {
    await bench.stop();
  }
}

await runProgram({ usage: USAGE, planOf, main });

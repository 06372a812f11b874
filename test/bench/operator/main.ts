import { progress, runProgram, say } from '../program.js';
import { machineText, verdictText } from '../report.js';
import { measureChecks } from './checks.js';
import { planOf, USAGE, type Plan } from './plan.js';
import { measureRefreshes } from './refreshes.js';
import { checksText, profileText, refreshesText, verdictsOn } from './report.js';

/** `npm run bench:operator`: how much one operator can look after. Exits with 1 only if something is wrong; a missed target is printed. */
async function main(plan: Plan): Promise<number> {
  say(`${machineText()}\n`);
  const checks = plan.types === 0 ? null : await measureChecks(plan, progress);
  const refreshes = plan.enrollments === 0 ? null : await measureRefreshes(plan, progress);
  progress('');
  if (checks !== null) say(checksText(checks));
  if (refreshes !== null) say(refreshesText(refreshes));
  say(verdictText(verdictsOn(checks, refreshes)));
  if (checks !== null) say(profileText(checks));
  const wrongs = [...checks?.wrongs ?? [], ...refreshes?.wrongs ?? []];
  for (const wrong of wrongs) say(`WRONG  ${wrong}`);
  if (wrongs.length > 0) return 1;
  say('RIGHT  Everything was looked at in time and is Ready, no refresh token was presented twice, and every call was answered with its own answer.');
  return 0;
}

await runProgram({ usage: USAGE, planOf, main });

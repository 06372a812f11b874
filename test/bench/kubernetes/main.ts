import { chooseControlPlane } from '#cli/control-plane/control-plane.js';
import { progress, runProgram, say } from '../program.js';
import { machineText, verdictText } from '../report.js';
import { planOf, USAGE, type Plan } from './plan.js';
import { profileText, rushText, verdictsOn } from './report.js';
import { measureRush } from './rush.js';

/** `npm run bench:kubernetes`: how fast, and with how many requests, the mirror takes what is applied. Exits with 1 only if something is wrong; a missed target is printed. */
async function main(plan: Plan): Promise<number> {
  const choice = await chooseControlPlane(process.env);
  if (choice.kind === 'none') throw new Error(choice.reason);
  say(`${machineText()}; ${choice.kind === 'library' ? 'our own control plane' : 'kube-apiserver and etcd'}\n`);
  const result = await measureRush(plan, progress);
  progress('');
  say(rushText(result));
  say(verdictText(verdictsOn(result)));
  say(profileText(result.profile));
  for (const wrong of result.wrongs) say(`WRONG  ${wrong}`);
  if (result.wrongs.length > 0) return 1;
  say('RIGHT  Nothing was lost or doubled, each server was asked by its own type with its own credential, no credential is in an object, an event or a log, and an operator that is started anew writes nothing.');
  return 0;
}

await runProgram({ usage: USAGE, planOf, main });

import { copyFile, writeFile } from 'node:fs/promises';
import { ACCEPTED_BREAKS, changesSinceRelease, CURRENT_SDL, RELEASED_SDL } from './schema-changes.js';

// `npm run schema:diff` prints what changed for clients since the last release; `npm run schema:release` makes the present SDL the released one.
if (process.argv[2] === 'release') {
  await copyFile(CURRENT_SDL, RELEASED_SDL);
  await writeFile(ACCEPTED_BREAKS, '[]\n');
} else {
  const { breaking, dangerous, accepted } = changesSinceRelease();
  const reasons = new Map(accepted.map(({ change, reason }) => [change, reason]));
  for (const change of breaking) process.stdout.write(`breaking   ${change}${reasons.has(change) ? ` (accepted: ${reasons.get(change)})` : ''}\n`);
  for (const change of dangerous) process.stdout.write(`dangerous  ${change}\n`);
  process.stdout.write(`${breaking.length} breaking, ${dangerous.length} dangerous since ${RELEASED_SDL}\n`);
}

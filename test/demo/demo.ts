import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quotePeer } from '#core/errors.js';
import { Printout } from './printout.js';
import { StageHand } from './stage.js';
import { tell } from './story.js';

// `npm run demo`: real servers, a real Fairlead, a real browser. Exit code 0 if all of it came true, 1 if not, 130 if it was interrupted.
const DEADLINE_MS = 120_000;

// Chromium comes packed, and leaves its parts in the folder for temporary files: here, one that goes with the demo.
const folder = mkdtempSync(join(tmpdir(), 'fairlead-demo-'));
process.env['TMPDIR'] = folder;

const printout = new Printout(process.stdout, () => performance.now());
const hand = new StageHand(process.env['PATH']);
const { promise: interrupted, reject: interrupt } = Promise.withResolvers<never>();
interrupted.catch(() => undefined);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    process.exitCode = 130;
    interrupt(new Error(`Interrupted (${signal}).`));
  });
}
const deadline = setTimeout(() => interrupt(new Error(`This took longer than ${DEADLINE_MS / 1000} s.`)), DEADLINE_MS);

const play = async (): Promise<void> => {
  printout.act('The stage: everything runs on this machine, for this demo only');
  await tell(await hand.build(printout), printout);
};
try {
  await Promise.race([play(), interrupted]);
} catch (error) {
  printout.check(false, `${printout.now}: ${quotePeer((error as Error).message, 1000)}`);
} finally {
  clearTimeout(deadline);
  await hand.clear();
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
printout.line(printout.failed === 0
  ? `\nAll ${printout.held} points held. Everything that was started is stopped and removed. README.md shows the same with curl.`
  : `\n${printout.failed} of ${printout.held + printout.failed} points did not hold. Everything that was started is stopped and removed.`);
if (printout.failed > 0) process.exitCode ??= 1;
process.exit();

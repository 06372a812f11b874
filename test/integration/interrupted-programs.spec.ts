import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from '#test/support/child.js';
import { until } from '#test/support/mcp-servers/until.js';

const CHAOS = fileURLToPath(new URL('../chaos/main.js', import.meta.url));
const BENCH = fileURLToPath(new URL('../bench/operator/main.js', import.meta.url));

let folder: string;
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'fairlead-interrupted-')); });
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The process id of the PostgreSQL that a program has started in a folder of its own, once it answers. */
async function postmaster(): Promise<number | null> {
  for (const own of await readdir(folder)) {
    const lines = (await readFile(join(folder, own, 'data', 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    if (lines[7]?.trim() === 'ready') return Number(lines[0]);
  }
  return null;
}

test.each([
  ['npm run chaos', [CHAOS, '--minutes', '10']],
  ['npm run bench:operator', [BENCH, '--smoke']],
])('%s that is ended with Ctrl-C takes its PostgreSQL and its folder with it', async (_name, command) => {
  const program = startChild([process.execPath, ...command], { env: { ...process.env, TMPDIR: folder } });
  let pid: number | null = null;
  await until(async () => (pid = await postmaster()) !== null);
  program.process.kill('SIGINT');
  expect(await program.ended).toEqual({ code: 130, signal: null });
  expect(() => process.kill(pid!, 0)).toThrow('ESRCH');
  expect(await readdir(folder)).toEqual([]);
});

import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const CACHE = join(ROOT, 'node_modules', '.cache', 'fairlead');
/** The package unpacks its browser into the folder for temporary files, where it takes whatever is there for whole. */
const UNPACK = `await (await import('@sparticuz/chromium')).default.executablePath()`;

/**
 * The path of the Chromium of `@sparticuz/chromium`, which is unpacked once and kept in the cache. It is whole, however many want it at the same time, and whoever
 * was interrupted while it was unpacked: an executable that is still being written can't be started (ETXTBSY), and half of one never will.
 */
export async function chromiumPath(): Promise<string> {
  const { version } = JSON.parse(await readFile(join(ROOT, 'node_modules', '@sparticuz', 'chromium', 'package.json'), 'utf8')) as { version: string };
  const finished = join(CACHE, `chromium-${version}`);
  if (!(await access(finished).then(() => true, () => false))) await unpack(finished);
  return join(finished, 'chromium');
}

async function unpack(finished: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const workshop = await mkdtemp(join(CACHE, 'building-'));
  try {
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', UNPACK], { cwd: ROOT, env: { ...process.env, TMPDIR: workshop } });
    // Somebody beside us may have been faster: one is as good as the other.
    await rename(workshop, finished).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

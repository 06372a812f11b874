import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { giveTo, type Account } from './account.js';
import { POSTGRES_MAJOR, type PostgresBinaries } from './binaries.js';
import { fileFault, StartFault, USE_OWN_SERVER } from './start-fault.js';

const run = promisify(execFile);

/** Name of the superuser of an embedded cluster, and of its database. */
export const CLUSTER_NAME = 'fairlead';

/** A data folder and the password of its superuser. */
export interface Cluster {
  dataFolder: string;
  password: string;
}

/**
 * Opens the cluster in `<directory>/data`, and creates it if there is none: UTF-8, the builtin C.UTF-8 locale (the same order on every machine), passwords by SCRAM.
 * It is made beside and then renamed, so that a run that is killed leaves none or a whole one. The password lies in the data folder (mode 0600).
 * @param sync whether initdb flushes what it wrote to disk
 * @throws StartFault `VERSION_MISMATCH`, `NO_PERMISSION`, `NO_SPACE`, `FAILED`
 */
export async function openCluster(directory: string, binaries: PostgresBinaries, account: Account, sync: boolean): Promise<Cluster> {
  const dataFolder = join(directory, 'data');
  try {
    if (!(await holdsCluster(dataFolder))) await createCluster(directory, dataFolder, binaries, account, sync);
    await giveTo(account, dataFolder);
    return { dataFolder, password: await readFile(join(dataFolder, PASSWORD_FILE), 'utf8') };
  } catch (error) {
    throw fileFault(error, dataFolder);
  }
}

/** In the data folder. */
export const PASSWORD_FILE = 'fairlead-password';

async function holdsCluster(dataFolder: string): Promise<boolean> {
  let version: string;
  try {
    version = (await readFile(join(dataFolder, 'PG_VERSION'), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const found = await readdir(dataFolder).catch(() => []);
    if (found.length === 0) return false;
    throw new StartFault('FAILED', `${dataFolder} isn't empty, and isn't a PostgreSQL data folder. Move it away, then start again.`);
  }
  if (version === String(POSTGRES_MAJOR)) return true;
  throw new StartFault('VERSION_MISMATCH',
    `${dataFolder} was made by PostgreSQL ${version}, and PostgreSQL ${POSTGRES_MAJOR} is embedded here. Start with the version of Fairlead that made it, `
    + `or move its data with pg_dump and pg_restore. ${USE_OWN_SERVER}`);
}

async function createCluster(directory: string, dataFolder: string, binaries: PostgresBinaries, account: Account, sync: boolean): Promise<void> {
  const unfinished = join(directory, 'data.unfinished');
  const passwordFile = join(directory, 'password.unfinished');
  const password = randomBytes(24).toString('base64url');
  await rm(unfinished, { recursive: true, force: true });
  await rm(passwordFile, { force: true });
  await mkdir(unfinished, { mode: 0o700 });
  await giveTo(account, unfinished);
  await writeFile(passwordFile, password, { mode: 0o600 });
  const command = [
    ...account.prefix, binaries.initdb, '-D', unfinished, `--username=${CLUSTER_NAME}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256',
    '--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions', '--no-clean', ...(sync ? [] : ['--no-sync']),
  ];
  try {
    await run(command[0]!, command.slice(1), { env: binaries.env, cwd: directory });
  } catch (error) {
    throw new StartFault('FAILED', `PostgreSQL's initdb failed: ${String((error as { stderr?: string }).stderr ?? error).trim()}\n${USE_OWN_SERVER}`, { cause: error });
  }
  await writeFile(join(unfinished, PASSWORD_FILE), password, { mode: 0o600, flush: sync });
  await chmod(unfinished, 0o700);
  await rename(unfinished, dataFolder);
  await rm(passwordFile, { force: true });
}

import { cp, lstat, mkdir, mkdtemp, readdir, realpath, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createLogger } from '#core/log.js';
import { accountFacts, chooseAccount } from '#core/postgres/account.js';
import { locateNativeFolder, POSTGRES_MAJOR, prepareBinaries } from '#core/postgres/binaries.js';
import { openCluster } from '#core/postgres/cluster.js';
import { DirectoryLock } from '#core/postgres/directory-lock.js';
import { startEmbeddedPostgres } from '#core/postgres/embedded.js';
import { clearLeftover } from '#core/postgres/leftover.js';

const PREFIX = 'fairlead-test-';
const logger = createLogger('error');
const now = () => new Date();
const searchPath = process.env['PATH'] ?? '/usr/bin:/bin';

/** The one PostgreSQL of a test run. */
export interface TestServer {
  url: string;
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL without any flushing in a temporary folder, from a copy of a cluster that is made once and kept in `cacheFolder`.
 * Servers and folders of test runs that were killed are cleared away first.
 */
export async function startTestServer(cacheFolder: string): Promise<TestServer> {
  await sweepKilledRuns();
  const directory = await mkdtemp(join(tmpdir(), PREFIX));
  const lock = await DirectoryLock.acquire(directory, now);
  await copyCluster(directory, cacheFolder);
  const server = await startEmbeddedPostgres({ directory, logger, searchPath, durable: false });
  return {
    url: server.url,
    async stop() {
      await server.stop();
      lock.release();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Puts a fresh cluster into `<directory>/data`, in a tenth of the time that initdb takes. */
export async function copyCluster(directory: string, cacheFolder = join('node_modules', '.cache', 'fairlead')): Promise<void> {
  await cp(await cachedCluster(cacheFolder), join(directory, 'data'), { recursive: true });
}

async function cachedCluster(cacheFolder: string): Promise<string> {
  const finished = join(cacheFolder, `postgres-${POSTGRES_MAJOR}`);
  if (await exists(finished)) return finished;
  await mkdir(cacheFolder, { recursive: true });
  // Absolute: initdb runs in the folder itself.
  const workshop = await mkdtemp(resolve(cacheFolder, 'building-'));
  const account = await chooseAccount(await accountFacts(searchPath));
  const { dataFolder } = await openCluster(workshop, await prepareBinaries(locateNativeFolder(), join(workshop, 'lib'), searchPath), account, false);
  // A run beside this one may have been faster: one whole cluster is as good as the other.
  await rename(dataFolder, finished).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
  await rm(workshop, { recursive: true, force: true });
  return finished;
}

/** Whoever holds the lock of a folder is alive; a folder without a holder's note was made a moment ago. */
async function sweepKilledRuns(): Promise<void> {
  const temporary = await realpath(tmpdir());
  for (const name of await readdir(temporary)) {
    const directory = join(temporary, name);
    if (!name.startsWith(PREFIX) || !(await exists(join(directory, 'lock-holder.json'))) || (await lstat(directory)).uid !== process.geteuid?.()) continue;
    const lock = await DirectoryLock.tryAcquire(directory, now);
    if (lock === null) continue;
    await clearLeftover(join(directory, 'data'), logger);
    lock.release();
    await rm(directory, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(() => true, () => false);
}

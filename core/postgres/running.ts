import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CLUSTER_NAME, PASSWORD_FILE } from './cluster.js';
import { readPostmaster } from './leftover.js';

/** The connection URL of the embedded server that runs in `directory` now, started by whichever process; null where none does. */
export async function urlOfRunning(directory: string): Promise<string | null> {
  const dataFolder = join(directory, 'data');
  const postmaster = await readPostmaster(dataFolder);
  if (postmaster === null || !postmaster.ready) return null;
  const password = await readFile(join(dataFolder, PASSWORD_FILE), 'utf8');
  return `postgres://${CLUSTER_NAME}:${password}@127.0.0.1:${postmaster.port}/${CLUSTER_NAME}`;
}

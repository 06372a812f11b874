import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '#core/config/config.js';
import { StartFault } from '#core/postgres/start-fault.js';
import { KeyRing } from '#core/vault/key-ring.js';

/** `fairlead keys generate`: prints a new entry for a key ring, and nothing else. */
export function generateKey(print: (line: string) => void, now: () => Date): void {
  print(KeyRing.generateEntry(now()));
}

/** `fairlead keys list`: prints the ids of the ring that is configured, the one that seals first; never a key. */
export async function listKeys(config: Config, print: (line: string) => void): Promise<void> {
  const path = join(config.stateDir, 'keys');
  const ring = KeyRing.parse(config.keys ?? await readRing(path));
  for (const id of ring.ids) print(id === ring.primaryId ? `${id}  seals and opens` : `${id}  opens`);
}

async function readRing(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new StartFault('KEYS_MISSING', `There is no key ring: FAIRLEAD_KEYS isn't set, and ${path} doesn't exist. \`fairlead dev\` makes that file; \`fairlead keys generate\` prints an entry for FAIRLEAD_KEYS.`);
  }
}

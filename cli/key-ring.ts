import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '#core/config/config.js';
import { StartFault } from '#core/postgres/start-fault.js';
import { readKeyFile, readOrCreateKeyFile } from '#core/vault/key-file.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { LiveKeyRing } from '#core/vault/live-key-ring.js';

/** The ring that configuration gives: read again while the process runs where it comes from a file of its own, and as it is from anywhere else. */
export function configuredKeyRing(keys: string, keysFile: string | null): LiveKeyRing {
  return new LiveKeyRing(KeyRing.parse(keys), keysFile === null ? null : async () => KeyRing.parse(await readFile(keysFile, 'utf8')));
}

/** The ring of `fairlead dev`: the configured one, or a file of the state directory, which is made for a new one. */
export async function localKeyRing({ keys, keysFile, stateDir }: Config): Promise<LiveKeyRing> {
  if (keys !== null) return configuredKeyRing(keys, keysFile);
  const path = localKeyFile(stateDir);
  if (!(await exists(path)) && await exists(join(stateDir, 'postgres', 'data'))) {
    throw new StartFault('KEYS_MISSING', `The key ring ${path} is gone, and without it no credential in the database of ${stateDir} can be opened. Put the file back, or set FAIRLEAD_KEYS. `
      + 'To begin anew without the data, remove the whole folder.');
  }
  return new LiveKeyRing(await readOrCreateKeyFile(path), () => readKeyFile(path));
}

/** Where `fairlead dev` keeps its ring. */
export function localKeyFile(stateDir: string): string {
  return join(stateDir, 'keys');
}

/** A ring as text, and the file that it can be changed in; null where it is somebody else's (the environment, say) to change. */
export async function keyRingText({ keys, keysFile, stateDir }: Config): Promise<{ text: string; file: string | null }> {
  if (keys !== null) return { text: keys, file: keysFile };
  const file = localKeyFile(stateDir);
  try {
    return { text: await readFile(file, 'utf8'), file };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new StartFault('KEYS_MISSING', `There is no key ring: FAIRLEAD_KEYS isn't set, and ${file} doesn't exist. \`fairlead dev\` makes that file; \`fairlead keys generate\` prints an entry for FAIRLEAD_KEYS.`);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}

import type { Config } from '#core/config/config.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { keyRingText } from './key-ring.js';

/** `fairlead keys generate`: prints a new entry for a key ring, and nothing else. */
export function generateKey(print: (line: string) => void, now: () => Date): void {
  print(KeyRing.generateEntry(now()));
}

/** `fairlead keys list`: prints the ids of the ring that is configured, the one that seals first; never a key. */
export async function listKeys(config: Config, print: (line: string) => void): Promise<void> {
  const ring = KeyRing.parse((await keyRingText(config)).text);
  for (const id of ring.ids) print(id === ring.primaryId ? `${id}  seals and opens` : `${id}  opens`);
}

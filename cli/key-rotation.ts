import { join } from 'node:path';
import type { Config } from '#core/config/config.js';
import { urlOfRunning } from '#core/postgres/running.js';
import { StartFault } from '#core/postgres/start-fault.js';
import type { Repositories } from '#core/store/store.js';
import { changeKeyFile, keepAside, withEntry, withoutEntry } from '#core/vault/key-file-change.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { LiveKeyRing } from '#core/vault/live-key-ring.js';
import { VaultError } from '#core/vault/vault-error.js';
import { keyReport, reasonsToKeep } from './key-report.js';
import { keyRingText } from './key-ring.js';

/** Where commands write. A ring that is printed goes to stdout alone, so that it can be piped into a secret store; what to do with it goes to stderr. */
export interface KeyOutput {
  print: (line: string) => void;
  tell: (line: string) => void;
}

/** `fairlead keys rotate`: puts a new key in front of the ring's file, or prints the ring that it would be where there is no file that can be written. */
export async function rotateKeys(config: Config, { print, tell }: KeyOutput, now: () => Date): Promise<void> {
  const { text, file } = await keyRingText(config);
  const entry = KeyRing.generateEntry(now());
  const id = entry.slice(0, entry.indexOf(':'));
  if (file !== null && await changeKeyFile(file, (current) => withEntry(current, entry))) {
    print(`${id} is the first key of ${file} now.`);
    print('Processes that read this file take it within seconds; when all of them hold it, the operator wraps the data keys with it. Nothing stops.');
    print('  fairlead keys status     how far it is, and what it waits for');
    print('  fairlead keys retire ID  takes an older key out, when nothing uses it any more');
    return;
  }
  printRing(withEntry(text, entry), print);
  tell(`Nothing was changed: ${file === null ? 'the ring doesn\'t come from a file of its own' : `${file} is read-only`}. What was printed is the ring with the new key ${id} in front. It is a secret.`);
  tell('Put it where the ring comes from (FAIRLEAD_KEYS, or the secret behind FAIRLEAD_KEYS_FILE). Processes with FAIRLEAD_KEYS_FILE take it by themselves; restart the others, one after the other.');
  tell('None of them uses the new key before all hold it. `fairlead keys status` says how far it is.');
}

/** `fairlead keys status`: every key, what it wraps, who holds it, and what comes next. */
export async function showKeyStatus(config: Config, { print }: KeyOutput): Promise<void> {
  const ring = new LiveKeyRing(KeyRing.parse((await keyRingText(config)).text));
  await withDatabase(config, async (repositories) => {
    for (const line of keyReport(ring, await repositories.keys.usage(), await repositories.processes.living())) print(line);
  });
}

/** `fairlead keys retire`: takes a key out of the ring's file, or prints the ring without it. Refuses while anything uses it. */
export async function retireKey(config: Config, id: string, { print, tell }: KeyOutput): Promise<void> {
  const { text, file } = await keyRingText(config);
  const without = withoutEntry(text, id).text;
  await withDatabase(config, async (repositories) => {
    await repositories.keys.hold();
    const reasons = reasonsToKeep(id, await repositories.keys.usage(), await repositories.processes.living());
    if (reasons.length > 0) throw new VaultError('KEY_IN_USE', `${id} can't be retired yet: ${reasons.join('; ')}. Nothing was changed; \`fairlead keys status\` says how far it is.`);
    const aside = file === null ? null : `${file}.retired`;
    const changed = file !== null && await changeKeyFile(file, async (current) => {
      const { text: left, entry } = withoutEntry(current, id);
      await keepAside(aside!, entry);
      return left;
    });
    if (changed) {
      print(`${id} is no longer in ${file}; nothing in the database uses it.`);
      tell(`Backups of the database from before the rotation need it still: it was put aside in ${aside}. Keep that with those backups, and destroy it with the last of them.`);
      return;
    }
    printRing(without, print);
    tell(`Nothing was changed. What was printed is the ring without ${id}: put it where the ring comes from. It is a secret.`);
    tell(`Backups of the database from before the rotation need ${id} still: keep it with them, and destroy it with the last of them.`);
  });
}

function printRing(text: string, print: (line: string) => void): void {
  print(text.trim().replaceAll('\n', ','));
}

/** In one transaction, so that what is seen belongs together. */
async function withDatabase(config: Config, work: (repositories: Repositories) => Promise<void>): Promise<void> {
  const url = config.databaseUrl ?? await urlOfRunning(join(config.stateDir, 'postgres'));
  if (url === null) {
    throw new StartFault('DATABASE_UNUSABLE', `No database is running in ${config.stateDir}. Start Fairlead there and try again, or set DATABASE_URL (or FAIRLEAD_STATE_DIR) to those of the installation.`);
  }
  const { Store } = await import('#core/store/store.js');
  const store = await Store.open({ url, poolSize: 1 });
  try {
    await store.transaction(work);
  } finally {
    await store.close();
  }
}

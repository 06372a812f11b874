import { execFile } from 'node:child_process';
import { chown, lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { StartFault, USE_OWN_SERVER } from './start-fault.js';

const run = promisify(execFile);

/** As whom PostgreSQL runs: it refuses to be root, and initdb wants a user that /etc/passwd knows. */
export interface Account {
  /** Program and arguments that are put in front of PostgreSQL's own; they replace themselves by it, so that the process id stays. */
  prefix: string[];
  /** The owner that files of PostgreSQL must have outside, or null where we couldn't change it. */
  owner: number | null;
}

/** What {@link chooseAccount} decides by. */
export interface AccountFacts {
  platform: string;
  uid: number;
  /** Lines of /etc/passwd as name and uid. */
  users: Array<{ name: string; uid: number }>;
  /** Whether the command can be run: user namespaces are switched off in many containers. */
  works(command: string[]): Promise<boolean>;
}

/**
 * Decides as whom PostgreSQL runs.
 * - An ordinary, known user: as that.
 * - root: in a user namespace in which root's files seem to belong to an ordinary user. This needs no second account, and works under folders of mode 0700.
 * - root without user namespaces (most containers): as `postgres` or `nobody`, with the one capability to reach the data below root's own folders.
 * @throws StartFault `NO_ACCOUNT`
 */
export async function chooseAccount(facts: AccountFacts): Promise<Account> {
  const root = facts.uid === 0;
  if (facts.platform !== 'linux') {
    if (!root) return { prefix: [], owner: null };
    throw new StartFault('NO_ACCOUNT', `PostgreSQL refuses to run as root on this system. Start as an ordinary user. ${USE_OWN_SERVER}`);
  }
  if (!root && facts.users.some((user) => user.uid === facts.uid)) return { prefix: [], owner: null };

  const ordinary = facts.users.filter((user) => user.uid !== 0);
  const user = ordinary.find(({ name }) => name === 'postgres') ?? ordinary.find(({ name }) => name === 'nobody') ?? ordinary[0];
  if (user === undefined) {
    throw new StartFault('NO_ACCOUNT', `PostgreSQL needs a user other than root, and /etc/passwd has none. Add one (useradd fairlead) and start as it. ${USE_OWN_SERVER}`);
  }
  const namespace = ['unshare', '--user', `--map-user=${user.uid}`, `--map-group=${user.uid}`];
  if (await facts.works([...namespace, 'true'])) return { prefix: namespace, owner: root ? 0 : null };

  const other = ['setpriv', `--reuid=${user.uid}`, `--regid=${user.uid}`, '--clear-groups', '--inh-caps=-all,+dac_override', '--ambient-caps=-all,+dac_override'];
  // Without it access(2) forgets the capability, by which PostgreSQL's programs look for each other: they would start below /root, and not find themselves there.
  const found = [...other, '--securebits=+no_setuid_fixup'];
  for (const prefix of root ? [found, other] : []) if (await facts.works([...prefix, 'true'])) return { prefix, owner: user.uid };
  throw new StartFault('NO_ACCOUNT', root
    ? `PostgreSQL refuses to run as root, and neither a user namespace (unshare) nor another account (setpriv) is allowed here. Start as an ordinary user. ${USE_OWN_SERVER}`
    : `PostgreSQL needs its user to be in /etc/passwd; uid ${facts.uid} isn't, and user namespaces aren't allowed here. Start as a known user. ${USE_OWN_SERVER}`);
}

/** The facts of the machine that we run on. `searchPath` is where programs are looked for, as in `PATH`. */
export async function accountFacts(searchPath: string): Promise<AccountFacts> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const users = passwd.split('\n').map((line) => line.split(':')).filter((fields) => fields.length >= 7)
    .map((fields) => ({ name: fields[0]!, uid: Number(fields[2]) }));
  return {
    platform: process.platform,
    uid: process.geteuid?.() ?? -1,
    users,
    works: async ([program, ...args]) => run(program!, args, { env: { PATH: searchPath } }).then(() => true, () => false),
  };
}

/** Gives a folder and everything in it to the account, if it isn't its own already: the way of running may change from one start to the next. */
export async function giveTo(account: Account, path: string): Promise<void> {
  if (account.owner === null || (await lstat(path)).uid === account.owner) return;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    // Tablespace links aside, a data folder holds files and folders only; links are not followed.
    if (!entry.isSymbolicLink()) await chown(join(entry.parentPath, entry.name), account.owner, account.owner);
  }
  // Last, because it is what the next start looks at.
  await chown(path, account.owner, account.owner);
}

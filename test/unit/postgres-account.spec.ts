import { chooseAccount, type AccountFacts } from '#core/postgres/account.js';

const users = [{ name: 'root', uid: 0 }, { name: 'ada', uid: 1000 }, { name: 'nobody', uid: 65534 }];
const machine: AccountFacts = { platform: 'linux', uid: 1000, users, works: async () => true };
const without = (...programs: string[]) => async (command: string[]) => !programs.includes(command[0]!);

test('An ordinary user runs PostgreSQL directly', async () => {
  expect(await chooseAccount(machine)).toEqual({ prefix: [], owner: null });
  expect(await chooseAccount({ ...machine, platform: 'darwin', users: [] })).toEqual({ prefix: [], owner: null });
});

test('root runs it in a user namespace, where its files stay its own', async () => {
  expect(await chooseAccount({ ...machine, uid: 0 })).toEqual({ prefix: ['unshare', '--user', '--map-user=65534', '--map-group=65534'], owner: 0 });
});

test('root without user namespaces runs it as another account that owns the data', async () => {
  const account = await chooseAccount({ ...machine, uid: 0, works: without('unshare') });
  expect(account.prefix.slice(0, 2)).toEqual(['setpriv', '--reuid=65534']);
  expect(account.owner).toBe(65534);
  // Where that can't be had, it goes without.
  const strict = await chooseAccount({ ...machine, uid: 0, works: async (command) => command[0] !== 'unshare' && !command.some((word) => word.startsWith('--securebits')) });
  expect([...strict.prefix, '--securebits=+no_setuid_fixup']).toEqual(account.prefix);
});

test('The account postgres comes first where there is one', async () => {
  const account = await chooseAccount({ ...machine, uid: 0, users: [...users, { name: 'postgres', uid: 70 }], works: without('unshare') });
  expect(account.owner).toBe(70);
});

test('A user that /etc/passwd does not know gets a known name in a user namespace', async () => {
  expect(await chooseAccount({ ...machine, uid: 12345 })).toEqual({ prefix: ['unshare', '--user', '--map-user=65534', '--map-group=65534'], owner: null });
});

test.each<[string, Partial<AccountFacts>]>([
  ['root where neither way is allowed', { uid: 0, works: async () => false }],
  ['an unknown user without user namespaces', { uid: 12345, works: async () => false }],
  ['root with nobody else in /etc/passwd', { uid: 0, users: [{ name: 'root', uid: 0 }] }],
  ['root on another system', { uid: 0, platform: 'darwin' }],
])('%s is told to use another user or DATABASE_URL', async (_, facts) => {
  await expect(chooseAccount({ ...machine, ...facts })).rejects.toMatchObject({ code: 'NO_ACCOUNT', message: expect.stringContaining('DATABASE_URL') });
});

import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { readPostmaster } from '#core/postgres/leftover.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { startChild, type Child } from '#test/support/child.js';
import { createDatabase } from '#test/support/database.js';
import { until } from '#test/support/mcp-servers/until.js';
import { copyCluster } from '#test/support/test-server.js';

const PROGRAM = fileURLToPath(new URL('../support/programs/fairlead-with-plain-api.js', import.meta.url));

let home: string;
let state: string;
const children: Child[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cli-'));
  state = join(home, 'state');
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.process.kill('SIGTERM');
    await child.ended;
  }
  await rm(home, { recursive: true, force: true });
});

/** A state as an earlier start left it. */
async function startedBefore(): Promise<void> {
  await mkdir(join(state, 'postgres'), { recursive: true, mode: 0o700 });
  await writeFile(join(state, 'keys'), KeyRing.generateEntry(), { mode: 0o600 });
  await copyCluster(join(state, 'postgres'));
}

function fairlead(args: string[], env: Record<string, string> = {}): Child {
  const child = startChild([process.execPath, PROGRAM, ...args], { env: { PATH: process.env['PATH'], PORT: '0', FAIRLEAD_STATE_DIR: state, ...env } });
  children.push(child);
  return child;
}

async function ready(child: Child): Promise<string> {
  return /http:\S+/.exec(await child.line(/http:/))![0];
}

const said = (child: Child) => child.errors.filter((line) => !line.startsWith('{')).join('\n');
const digest = async (path: string) => createHash('sha256').update(await readFile(path)).digest('hex');
const alive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('dev prints one line with the URL, answers there, and keeps its secrets in files for the owner alone', async () => {
  const child = fairlead(['dev']);
  const url = await ready(child);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  await child.line(/Local mode: .*plain HTTP/);
  expect(child.output.filter((line) => line.includes(url))).toEqual([`Fairlead is ready at ${url}`]);

  const modes = await Promise.all(['.', 'keys', 'admin-token', 'postgres', 'postgres/data'].map(async (name) => (await stat(join(state, name))).mode & 0o777));
  expect(modes).toEqual([0o700, 0o600, 0o600, 0o700, 0o700]);
  const output = [...child.output, ...child.errors].join('\n');
  expect(output).toContain(join(state, 'admin-token'));
  expect(output).not.toContain((await readFile(join(state, 'admin-token'), 'utf8')).trim());
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops the API, then the database, and ends with 0', async (signal) => {
  await startedBefore();
  const child = fairlead(['dev']);
  await ready(child);
  const server = (await readPostmaster(join(state, 'postgres', 'data')))!.pid;
  child.process.kill(signal);
  expect(await child.ended).toEqual({ code: 0, signal: null });
  expect(child.errors.join('\n')).toContain('stopping');
  expect(alive(server)).toBe(false);
});

test('After kill -9 it starts again on the same keys, token and data', async () => {
  await startedBefore();
  const first = fairlead(['dev']);
  await ready(first);
  const before = await Promise.all([digest(join(state, 'keys')), digest(join(state, 'admin-token')), digest(join(state, 'postgres', 'data', 'fairlead-password'))]);
  first.process.kill('SIGKILL');
  await first.ended;

  await ready(fairlead(['dev']));
  const after = await Promise.all([digest(join(state, 'keys')), digest(join(state, 'admin-token')), digest(join(state, 'postgres', 'data', 'fairlead-password'))]);
  expect(after).toEqual(before);
});

test('A second start on the same state says so, ends with 1, and leaves the first alone', async () => {
  await startedBefore();
  const first = fairlead(['dev']);
  const url = await ready(first);
  const second = fairlead(['dev']);
  expect((await second.ended).code).toBe(1);
  expect(said(second)).toMatch(new RegExp(`^Process ${first.pid} \\(since .*\\) is already running on ${state}`));
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test('A second signal ends it at once, the next start clears up', async () => {
  await startedBefore();
  const child = fairlead(['dev'], { PLAIN_API_HANGS: '1' });
  await ready(child);
  child.process.kill('SIGINT');
  // The same wish, delivered twice.
  child.process.kill('SIGINT');
  await until(() => child.errors.some((line) => line.includes('stopping')));
  await sleep(600);
  expect(child.process.exitCode).toBe(null);
  child.process.kill('SIGINT');
  expect(await child.ended).toEqual({ code: 130, signal: null });
  await ready(fairlead(['dev']));
});

test('A signal before it is ready stops it as well', async () => {
  const child = fairlead(['dev']);
  while (!(await readdir(state).catch((): string[] => [])).includes('keys')) await sleep(5);
  child.process.kill('SIGTERM');
  await child.ended;
  expect(child.output).toEqual([]);
  expect(await readPostmaster(join(state, 'postgres', 'data'))).toBe(null);
  await ready(fairlead(['dev']));
});

test('When its PostgreSQL ends by itself, it stops and says where to look', async () => {
  await startedBefore();
  const child = fairlead(['dev']);
  await ready(child);
  process.kill((await readPostmaster(join(state, 'postgres', 'data')))!.pid, 'SIGKILL');
  expect((await child.ended).code).toBe(1);
  expect(said(child)).toMatch(/PostgreSQL ended by itself; .*server\.log/);
});

test('Without its key ring, the data of before is not touched', async () => {
  await startedBefore();
  await rm(join(state, 'keys'));
  const second = fairlead(['dev']);
  expect((await second.ended).code).toBe(1);
  expect(said(second)).toMatch(/key ring .*keys is gone.*FAIRLEAD_KEYS/s);
  await expect(stat(join(state, 'keys'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('With DATABASE_URL nothing is embedded, and that database is migrated', async () => {
  const database = await createDatabase();
  const child = fairlead(['dev'], { DATABASE_URL: database.url });
  await ready(child);
  expect(await readdir(state)).not.toContain('postgres');
  child.process.kill('SIGTERM');
  await child.ended;
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query(`SELECT to_regclass('teams') IS NOT NULL AS migrated`);
  await client.end();
  expect(rows).toEqual([{ migrated: true }]);
  await database.drop();
});

test('A database that refuses the password is named without it', async () => {
  const url = new URL((await createDatabase()).url);
  url.password = 'wrong-canary';
  const child = fairlead(['dev'], { DATABASE_URL: url.href });
  expect((await child.ended).code).toBe(1);
  expect(said(child)).toMatch(/^The database at 127\.0\.0\.1:\d+\/\S+ can't be used: the password is wrong\. Check DATABASE_URL\.$/);
});

test('Every fault of the configuration is printed, it ends with 2, and nothing was made', async () => {
  const child = fairlead(['dev'], { PORT: 'http', HOST: '0.0.0.0', FAIRLEAD_KEYS: 'secret-canary', FAIRLEAD_EGRESS_ALLOW: '10.0.0.0/99', FAIRLEAD_STATE: 'x' });
  expect((await child.ended).code).toBe(2);
  for (const key of ['PORT', 'FAIRLEAD_PUBLIC_URL', 'FAIRLEAD_KEYS', 'FAIRLEAD_EGRESS_ALLOW', 'FAIRLEAD_STATE']) expect(said(child)).toContain(`\n  ${key}: `);
  expect(said(child)).not.toContain('secret-canary');
  await expect(stat(state)).rejects.toMatchObject({ code: 'ENOENT' });
});

test.each<[string, () => Promise<string>]>([
  ['that is a file', async () => { await writeFile(state, ''); return state; }],
  ['whose lock is a folder', async () => { await mkdir(join(state, 'lock'), { recursive: true }); return join(state, 'lock'); }],
  ['with a file where PostgreSQL belongs', async () => { await mkdir(state); await writeFile(join(state, 'postgres'), ''); return join(state, 'postgres'); }],
  ['whose administrator\'s token is a folder', async () => { await startedBefore(); await mkdir(join(state, 'admin-token')); return join(state, 'admin-token'); }],
  // Linux makes none there, and says that there is no such folder.
  ...(process.platform === 'linux' ? [['where no folder can be made', async () => { state = '/proc/fairlead/state'; return '/proc/fairlead'; }]] as [string, () => Promise<string>][] : []),
])('A state folder %s is named, with the way out', async (_what, spoil) => {
  const place = await spoil();
  const child = fairlead(['dev']);
  expect((await child.ended).code).toBe(1);
  expect(said(child)).toMatch(/^[^\n]* FAIRLEAD_STATE_DIR to another [^\n]*$/);
  expect(said(child)).toContain(place);
});

test('A port that is taken is named, with the way out', async () => {
  await startedBefore();
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as AddressInfo;
  const child = fairlead(['dev', '--port', String(port)]);
  expect((await child.ended).code).toBe(1);
  expect(said(child)).toBe(`Something else listens on 127.0.0.1:${port} already. Stop it, or set PORT to another one (0 picks a free one).`);
  await new Promise((resolve) => other.close(resolve));
});

test('On an address that others reach it says that local mode is over', async () => {
  await startedBefore();
  const child = fairlead(['dev'], { HOST: '0.0.0.0', FAIRLEAD_PUBLIC_URL: 'http://fairlead.example.com' });
  expect(await ready(child)).toBe('http://fairlead.example.com');
  await child.line(/not local mode: .* refused unless FAIRLEAD_EGRESS_ALLOW/);
});

test('api starts on what configuration names, and makes up no keys', async () => {
  const bare = fairlead(['api']);
  expect((await bare.ended).code).toBe(2);
  const database = await createDatabase();
  const generate = fairlead(['keys', 'generate']);
  await generate.ended;
  const child = fairlead(['api'], {
    DATABASE_URL: database.url, FAIRLEAD_KEYS: generate.output[0]!, FAIRLEAD_OIDC_ISSUER: 'https://login.example.com', FAIRLEAD_OIDC_AUDIENCE: 'fairlead',
  });
  expect((await fetch(`${await ready(child)}/readyz`)).status).toBe(200);
  child.process.kill('SIGTERM');
  expect((await child.ended).code).toBe(0);
  await expect(stat(state)).rejects.toMatchObject({ code: 'ENOENT' });
  await database.drop();
});

test('migrate brings a database up to date, and a second time finds it so', async () => {
  const database = await createDatabase();
  const first = fairlead(['migrate'], { DATABASE_URL: database.url });
  expect((await first.ended).code).toBe(0);
  expect(first.output.at(-1)).toMatch(/^The database is up to date after \d+ migration/);
  const second = fairlead(['migrate'], { DATABASE_URL: database.url });
  expect((await second.ended).code).toBe(0);
  expect(second.output).toEqual(['The database is up to date.']);
  await database.drop();
});

test('keys list shows ids and never a key', async () => {
  const entries = [];
  for (let count = 0; count < 2; count += 1) {
    const generate = fairlead(['keys', 'generate']);
    await generate.ended;
    entries.push(generate.output[0]!);
  }
  const list = fairlead(['keys', 'list'], { FAIRLEAD_KEYS: entries.join(',') });
  await list.ended;
  expect(list.output).toEqual([`${entries[0]!.split(':')[0]}  seals and opens`, `${entries[1]!.split(':')[0]}  opens`]);

  const none = fairlead(['keys', 'list']);
  expect((await none.ended).code).toBe(1);
  expect(said(none)).toContain('There is no key ring');
});

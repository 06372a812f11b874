import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { accountFacts, chooseAccount } from '#core/postgres/account.js';
import { readPostmaster } from '#core/postgres/leftover.js';
import { startChild, type Child } from '#test/support/child.js';
import { copyCluster } from '#test/support/test-server.js';

const PROGRAM = fileURLToPath(new URL('../support/programs/hold-postgres.js', import.meta.url));
const NOBODY = 65534;
const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const isRoot = process.geteuid?.() === 0;
const canBeNobody = isRoot && spawnSync(asNobody[0]!, [...asNobody.slice(1), process.execPath, '--check', PROGRAM]).status === 0;

let home: string;
const children: Child[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'supervisor-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    child.process.kill('SIGTERM');
    await child.ended;
  }
  await rm(home, { recursive: true, force: true });
});

type Said = { url: string } | { code: string; message: string };

function launch(directory: string, prefix: string[] = [], env: NodeJS.ProcessEnv = process.env): Child {
  const child = startChild([...prefix, process.execPath, PROGRAM, directory], { env });
  children.push(child);
  return child;
}

async function said(child: Child): Promise<Said> {
  return JSON.parse(await child.line(/^\{/)) as Said;
}

async function urlOf(child: Child): Promise<string> {
  const answer = await said(child);
  if (!('url' in answer)) throw new Error(answer.message);
  return answer.url;
}

async function query(url: string, sql: string): Promise<Array<Record<string, unknown>>> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as Array<Record<string, unknown>>;
  } finally {
    await client.end();
  }
}

async function end(child: Child, signal: NodeJS.Signals): Promise<void> {
  child.process.kill(signal);
  await child.ended;
}

async function untilGone(pid: number): Promise<void> {
  for (;;) {
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
    if (state === null || state.includes(') Z ')) return;
    await sleep(20);
  }
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('The first start makes a UTF-8 cluster with the builtin locale, on the loopback address only, for whoever has the password', async () => {
  const url = await urlOf(launch(home));
  const [row] = await query(url, `SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('server_encoding') AS encoding,
    datlocprovider AS provider, datlocale AS locale, current_setting('timezone') AS zone, current_setting('listen_addresses') AS address,
    current_setting('unix_socket_directories') AS sockets, current_setting('fsync') AS fsync FROM pg_database WHERE datname = current_database()`);
  expect(row).toEqual({ major: 18, encoding: 'UTF8', provider: 'b', locale: 'C.UTF-8', zone: 'UTC', address: '127.0.0.1', sockets: '', fsync: 'on' });

  const wrong = new URL(url);
  wrong.password = 'wrong';
  await expect(query(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
});

test('The password is readable by its owner only, and not in the log', async () => {
  const url = new URL(await urlOf(launch(home)));
  expect((await stat(join(home, 'data'))).mode & 0o777).toBe(0o700);
  expect((await stat(join(home, 'data', 'fairlead-password'))).mode & 0o777).toBe(0o600);
  expect(await readFile(join(home, 'server.log'), 'utf8')).not.toContain(url.password);
});

test('A clean stop ends the server, and the next start finds the rows', async () => {
  await copyCluster(home);
  const first = launch(home);
  await query(await urlOf(first), 'CREATE TABLE kept AS SELECT 1 AS n');
  const server = (await readPostmaster(join(home, 'data')))!.pid;
  await end(first, 'SIGTERM');
  expect(alive(server)).toBe(false);
  expect(await query(await urlOf(launch(home)), 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
});

test('After kill -9 of Node the next start stops the server that was left, and finds the rows', async () => {
  await copyCluster(home);
  const first = launch(home);
  await query(await urlOf(first), 'CREATE TABLE kept AS SELECT 1 AS n');
  const left = (await readPostmaster(join(home, 'data')))!.pid;
  await end(first, 'SIGKILL');
  expect(alive(left)).toBe(true);

  expect(await query(await urlOf(launch(home)), 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  await untilGone(left);
  expect((await readPostmaster(join(home, 'data')))!.pid).not.toBe(left);
});

test('After kill -9 of Node and of the server, with sessions at work, every committed row is there', async () => {
  await copyCluster(home);
  const first = launch(home);
  const url = await urlOf(first);
  const writer = new Client({ connectionString: url });
  writer.on('error', () => undefined);
  await writer.connect();
  await writer.query('CREATE TABLE kept (n int)');
  let committed = 0;
  const writing = (async () => {
    for (;;) {
      await writer.query('INSERT INTO kept VALUES ($1)', [committed + 1]);
      committed += 1;
    }
  })().catch(() => undefined);
  while (committed < 100) await sleep(5);
  process.kill((await readPostmaster(join(home, 'data')))!.pid, 'SIGKILL');
  await end(first, 'SIGKILL');
  await writing;

  const [row] = await query(await urlOf(launch(home)), 'SELECT count(*)::int AS rows FROM kept');
  expect(row!['rows']).toBeGreaterThanOrEqual(committed);
});

test('A second start on the same folder says who is there, and leaves the first alone', async () => {
  await copyCluster(home);
  const first = launch(home);
  const url = await urlOf(first);
  const second = await said(launch(home));
  expect(second).toMatchObject({ code: 'DIRECTORY_IN_USE', message: expect.stringContaining(`Process ${first.pid} `) });
  expect(await query(url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
});

test('A postmaster.pid whose process id belongs to somebody else by now is in nobody\'s way, and that process is left alone', async () => {
  await copyCluster(home);
  const first = launch(home);
  await urlOf(first);
  await end(first, 'SIGTERM');
  const bystander = startChild(['sleep', '600']);
  await writeFile(join(home, 'data', 'postmaster.pid'), `${bystander.pid}\n${join(home, 'data')}\n1\n5432\n\n127.0.0.1\n  1 1\nready   \n`);
  expect(await query(await urlOf(launch(home)), 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  expect(alive(bystander.pid)).toBe(true);
  await end(bystander, 'SIGKILL');
});

test('What a run that was killed during initdb left is made anew', async () => {
  await mkdir(join(home, 'data.unfinished', 'base'), { recursive: true });
  expect(await query(await urlOf(launch(home)), 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
});

test('Data of another major version is refused and left as it is', async () => {
  await mkdir(join(home, 'data'), { mode: 0o700 });
  await writeFile(join(home, 'data', 'PG_VERSION'), '17\n');
  expect(await said(launch(home))).toMatchObject({ code: 'VERSION_MISMATCH', message: expect.stringMatching(/PostgreSQL 17.*DATABASE_URL/s) });
  expect(await readFile(join(home, 'data', 'PG_VERSION'), 'utf8')).toBe('17\n');
});

test('A folder that holds something else is refused and left as it is', async () => {
  await mkdir(join(home, 'data'), { mode: 0o700 });
  await writeFile(join(home, 'data', 'thesis.txt'), 'years of work');
  expect(await said(launch(home))).toMatchObject({ code: 'FAILED', message: expect.stringContaining("isn't a PostgreSQL data folder") });
  expect(await readFile(join(home, 'data', 'thesis.txt'), 'utf8')).toBe('years of work');
});

/** A search path on which user namespaces don't work. */
async function withoutNamespaces(): Promise<string> {
  const folder = join(home, 'programs');
  await mkdir(folder);
  await writeFile(join(folder, 'unshare'), '#!/bin/sh\nexit 1\n');
  await chmod(join(folder, 'unshare'), 0o755);
  return [folder, process.env['PATH']].join(delimiter);
}

(isRoot ? test : test.skip)('root\'s other account finds programs below a folder of root\'s own, as PostgreSQL\'s look for each other', async () => {
  const { prefix, owner } = await chooseAccount(await accountFacts(await withoutNamespaces()));
  expect(owner).not.toBe(0);
  const own = join(home, 'own');
  await mkdir(own, { mode: 0o700 });
  await writeFile(join(own, 'program'), '#!/bin/sh\n');
  await chmod(join(own, 'program'), 0o755);
  expect(spawnSync(prefix[0]!, [...prefix.slice(1), 'test', '-x', join(own, 'program')]).status).toBe(0);
});

(isRoot ? test : test.skip)('root without user namespaces runs it as another account, below a folder of root\'s own, and may change between both ways', async () => {
  const restricted = { ...process.env, PATH: await withoutNamespaces() };
  const state = join(home, 'state');

  const first = launch(state, [], restricted);
  await query(await urlOf(first), 'CREATE TABLE kept AS SELECT 1 AS n');
  expect((await stat(join(state, 'data', 'base'))).uid).not.toBe(0);
  await end(first, 'SIGKILL');

  const second = launch(state);
  expect(await query(await urlOf(second), 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  expect((await stat(join(state, 'data', 'base'))).uid).toBe(0);
  await end(second, 'SIGTERM');

  expect(await query(await urlOf(launch(state, [], restricted)), 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
});

(canBeNobody ? test : test.skip)('An ordinary user runs it as themselves', async () => {
  await chown(home, NOBODY, NOBODY);
  const url = await urlOf(launch(home, asNobody));
  expect(await query(url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  expect((await stat(join(home, 'data', 'base'))).uid).toBe(NOBODY);
});

(canBeNobody ? test : test.skip)('A user that /etc/passwd doesn\'t know, as some clusters assign them, runs it too', async () => {
  await chown(home, 12345, 12345);
  const url = await urlOf(launch(home, ['setpriv', '--reuid=12345', '--regid=12345', '--clear-groups']));
  expect(await query(url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
});

(canBeNobody ? test : test.skip)('A folder that can\'t be written is named, with the way out', async () => {
  await chmod(home, 0o755);
  expect(await said(launch(join(home, 'state'), asNobody)))
    .toMatchObject({ code: 'NO_PERMISSION', message: expect.stringMatching(/state.*FAIRLEAD_STATE_DIR/s) });
});

const canMount = isRoot && spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
(canMount ? test : test.skip)('A full disk is called a full disk', async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'none', home]);
  try {
    expect(await said(launch(home))).toMatchObject({ code: 'NO_SPACE', message: expect.stringContaining('MiB free') });
  } finally {
    execFileSync('umount', [home]);
  }
});

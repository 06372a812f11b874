import { execFileSync } from 'node:child_process';
import { cp, lstat, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { locateNativeFolder, POSTGRES_MAJOR, prepareBinaries } from '#core/postgres/binaries.js';

const PATH = '/usr/bin:/bin';

let home: string;
let native: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'binaries-'));
  native = join(home, 'native');
  const filter = async (path: string) => !(await lstat(path)).isSymbolicLink() && !path.endsWith('.a');
  await cp(locateNativeFolder(), native, { recursive: true, filter });
});

afterAll(() => rm(home, { recursive: true, force: true }));

function versionOf(program: string, env: Record<string, string>): string {
  return execFileSync(program, ['--version'], { env, encoding: 'utf8' });
}

test('A package whose install script did not run starts through links of ours, and stays as it was', async () => {
  const before = await readdir(native, { recursive: true });
  const { initdb, postgres, env } = await prepareBinaries(native, join(home, 'links'), PATH);
  for (const program of [initdb, postgres]) expect(versionOf(program, env)).toContain(`(PostgreSQL) ${POSTGRES_MAJOR}.`);
  expect(await readdir(native, { recursive: true })).toEqual(before);
});

test('Links of an installation that has moved since are made anew', async () => {
  await rm(join(home, 'links'), { recursive: true, force: true });
  await prepareBinaries(native, join(home, 'links'), PATH);
  const [first] = await readdir(join(home, 'links'));
  await rm(join(home, 'links', first!));
  await symlink('/nowhere', join(home, 'links', first!));
  const { postgres, env } = await prepareBinaries(native, join(home, 'links'), PATH);
  expect(versionOf(postgres, env)).toContain('PostgreSQL');
});

test('A package whose links are complete is used as it is', async () => {
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as Array<{ source: string; target: string }>;
  for (const { source, target } of links) await symlink(resolve(home, source), resolve(home, target));
  const { postgres, env } = await prepareBinaries(native, join(home, 'unused'), PATH);
  expect(env).toEqual({ PATH, LC_ALL: 'C', TZ: 'UTC' });
  expect(versionOf(postgres, env)).toContain('PostgreSQL');
  await expect(lstat(join(home, 'unused'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('A platform without a package is told to set DATABASE_URL', () => {
  expect(() => locateNativeFolder('sunos', 'sparc')).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_PLATFORM', message: expect.stringContaining('DATABASE_URL') }));
});

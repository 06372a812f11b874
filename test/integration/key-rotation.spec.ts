import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runCommandLine, type World } from '#cli/command-line.js';
import { newId } from '#core/store/ids.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { LiveKeyRing } from '#core/vault/live-key-ring.js';
import { Vault } from '#core/vault/vault.js';
import { MIGRATED } from '#test/support/api.js';
import { startChild, type Child } from '#test/support/child.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { until } from '#test/support/mcp-servers/until.js';
import { openStore } from '#test/support/open-store.js';

const DOOR = resolve('bin/fairlead.js');
/** Batches of the operator that take some seconds. */
const TEAMS = 430;
const WHERE = { table: 'credentials', column: 'sealed', version: 1 };

let database: TestDatabase;
let store: Awaited<ReturnType<typeof openStore>>;
let folder: string;
let file: string;
const children: Child[] = [];

beforeAll(async () => {
  database = await createDatabase(MIGRATED);
  store = await openStore(database.url);
  folder = await mkdtemp(join(tmpdir(), 'fairlead-rotation-'));
  file = join(folder, 'keys');
  await writeFile(file, `${KeyRing.generateEntry()}\n`, { mode: 0o600 });
});
afterAll(async () => {
  for (const child of children) child.process.kill('SIGKILL');
  await Promise.all(children.map((child) => child.ended));
  await store.close();
  // An operator that was killed may hold its connections for a moment longer.
  await until(() => database.drop().then(() => true, () => false));
  await rm(folder, { recursive: true, force: true });
});

/** A command as it is typed, against the file unless `env` says otherwise. */
async function fairlead(args: string[], env: Record<string, string> = { FAIRLEAD_KEYS_FILE: file }) {
  const [out, err] = [[] as string[], [] as string[]];
  const world = { env: { DATABASE_URL: database.url, ...env }, out: { write: (text: string) => out.push(text) }, err: { write: (text: string) => err.push(text) }, now: () => new Date() };
  const code = await runCommandLine(args, world as unknown as World);
  return { code, out: out.join(''), err: err.join('') };
}

function operator(): Child {
  const child = startChild([process.execPath, DOOR, 'operator'], {
    env: { PATH: process.env['PATH'], DATABASE_URL: database.url, FAIRLEAD_KEYS_FILE: file, FAIRLEAD_PUBLIC_URL: 'http://127.0.0.1:4000', FAIRLEAD_METRICS_PORT: 'off' },
  });
  children.push(child);
  return child;
}

const ring = async () => KeyRing.parse(await readFile(file, 'utf8'));
const wrappedBy = async (id: string) => (await store.keys.usage()).get(id) ?? 0;

it('a rotation stops nothing, loses nothing when its operator is killed half-way, and an old key goes when nothing uses it', async () => {
  const oldRing = await ring();
  const old = oldRing.primaryId;
  const vault = new Vault(oldRing, store.keys);
  const teams = await Promise.all(Array.from({ length: TEAMS }, async (_, n) => (await store.teams.insert(`team-${n}`, 'Team')).id));
  const sealed = new Map(await Promise.all(teams.map(async (team) => [team, await vault.seal(team, { ...WHERE, rowId: team }, `secret of ${team}`)] as const)));
  const hashes = new Map(await Promise.all(teams.slice(0, 5).map(async (team) => [team, await vault.keyedHash(team, 'x')] as const)));

  // A process that has its ring from the environment, and holds the old key only.
  const [stale, staleRing] = [newId(), new LiveKeyRing(oldRing)];
  const beat = () => store.processes.beat(stale, 'elsewhere', 4711, { role: 'API', keys: staleRing.holds, wrapsWith: staleRing.wrapsWith });
  await beat();
  const first = operator();
  await first.line(/operator works/);

  const rotated = await fairlead(['keys', 'rotate']);
  const anew = (await ring()).primaryId;
  expect(rotated).toEqual({ code: 0, err: '', out: expect.stringContaining(`${anew} is the first key of ${file}`) });
  expect((await ring()).ids).toEqual([anew, old]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(rotated.out).not.toContain((await readFile(file, 'utf8')).split(/[:\n]/)[1]!);

  await first.line(/key ring was read again/);
  await beat();
  expect((await fairlead(['keys', 'status'])).out).toContain(`Process 4711 on elsewhere (api) doesn't hold ${anew} yet`);
  expect(await fairlead(['keys', 'retire', old])).toMatchObject({ code: 1, err: expect.stringMatching(new RegExp(`${old} can't be retired yet: it wraps ${TEAMS} data keys; 2 processes still wrap`)) });
  expect(await wrappedBy(anew)).toBe(0);

  // It is restarted with the new ring, so to speak; then the operator begins, and is killed when it is half-way.
  await store.processes.remove(stale);
  await until(async () => (await wrappedBy(anew)) > 0);
  first.process.kill('SIGKILL');
  await first.ended;
  // A statement that it had sent may still be at work.
  await until(async () => (await store.dataSource.query(`select 1 from pg_stat_activity where datname = current_database() and state = 'active' and pid <> pg_backend_pid()`) as unknown[]).length === 0);
  const halfWay = await wrappedBy(anew);
  expect(halfWay).toBeLessThan(TEAMS);
  const reader = new Vault(await ring(), store.keys);
  const openAll = () => Promise.all([...sealed].map(async ([team, value]) => expect((await reader.open(team, { ...WHERE, rowId: team }, value)).toString()).toBe(`secret of ${team}`)));
  await openAll();
  expect((await fairlead(['keys', 'retire', old])).err).toContain(`it wraps ${TEAMS - halfWay} data keys`);
  expect((await fairlead(['keys', 'status'])).out).toContain(`${halfWay} of ${TEAMS} data keys are wrapped by ${anew}`);

  await store.dataSource.query(`update processes set heartbeat_at = now() - interval '2 minutes'`);
  expect((await fairlead(['keys', 'status'])).out).toContain('No operator runs');
  const second = operator();
  await second.line(/every data key is wrapped by the first key/);
  expect(await store.keys.usage()).toEqual(new Map([[anew, TEAMS]]));
  expect(first.output.concat(second.output).join('\n')).not.toContain((await readFile(file, 'utf8')).split(/[:\n]/)[1]!);
  await openAll();

  await until(async () => (await store.processes.living()).every(({ wrapsWith }) => wrapsWith === anew));
  expect((await fairlead(['keys', 'status'])).out).toContain(`fairlead keys retire ${old}`);
  expect(await fairlead(['keys', 'retire', anew])).toMatchObject({ code: 1, err: expect.stringContaining('first key of the ring') });
  expect(await fairlead(['keys', 'retire', old])).toMatchObject({ code: 0, out: expect.stringContaining(`${old} is no longer in`), err: expect.stringContaining('Backups') });
  expect((await ring()).ids).toEqual([anew]);
  expect(KeyRing.parse(await readFile(`${file}.retired`, 'utf8')).ids).toEqual([old]);
  expect((await stat(`${file}.retired`)).mode & 0o777).toBe(0o600);

  // What was held in memory from before is no hindrance, and hashes are what they were.
  const live = new LiveKeyRing(oldRing, ring);
  const survivor = new Vault(live, store.keys);
  for (const [team, hash] of hashes) expect((await survivor.keyedHash(team, 'x')).equals(hash)).toBe(true);
  expect(live.ids).toEqual([anew]);
  second.process.kill('SIGTERM');
  expect(await second.ended).toEqual({ code: 0, signal: null });
});

it('a process of an older version, which says nothing of its keys, is taken to hold those that wrap anything', async () => {
  const [used] = [...(await store.keys.usage()).keys()];
  const rings = new LiveKeyRing(KeyRing.parse(`${KeyRing.generateEntry()}\n${(await readFile(file, 'utf8')).trim()}`));
  const [older, newer] = [newId(), newId()];
  const beat = () => store.processes.beat(newer, 'here', 1, { role: 'OPERATOR', keys: rings.holds, wrapsWith: rings.wrapsWith });
  await store.dataSource.query('delete from processes');
  expect(await beat()).toEqual({ operators: 1, keysEverywhere: [...rings.ids] });
  await store.processes.beat(older, 'there', 2);
  expect(await beat()).toEqual({ operators: 1, keysEverywhere: [used] });
  await store.processes.remove(older);
  expect((await beat()).keysEverywhere).toEqual([...rings.ids]);
});

it('a ring that can\'t be changed where it is, is printed, and nothing else is', async () => {
  const entry = KeyRing.generateEntry();
  const fromEnvironment = await fairlead(['keys', 'rotate'], { FAIRLEAD_KEYS: entry });
  expect(fromEnvironment).toMatchObject({ code: 0, err: expect.stringContaining('restart the others, one after the other') });
  expect(fromEnvironment.out.trim().split(',')).toEqual([expect.stringMatching(/^k\d{8}-[0-9a-f]{8}:/), entry]);
  expect(KeyRing.parse(fromEnvironment.out).ids).toHaveLength(2);

  const readOnly = join(folder, 'mounted');
  await writeFile(readOnly, entry);
  await chmod(readOnly, 0o400);
  const fromFile = await fairlead(['keys', 'rotate'], { FAIRLEAD_KEYS_FILE: readOnly });
  expect(fromFile).toMatchObject({ code: 0, err: expect.stringContaining('read-only') });
  expect(KeyRing.parse(fromFile.out).ids).toHaveLength(2);
  expect(await readFile(readOnly, 'utf8')).toBe(entry);

  const two = `${KeyRing.generateEntry()},${entry}`;
  const retired = await fairlead(['keys', 'retire', entry.split(':')[0]!], { FAIRLEAD_KEYS: two });
  expect(retired).toMatchObject({ code: 0, out: `${two.split(',')[0]}\n`, err: expect.stringContaining('Backups') });
  expect(await fairlead(['keys', 'status'], { FAIRLEAD_STATE_DIR: folder, DATABASE_URL: '', FAIRLEAD_KEYS: entry })).toMatchObject({ code: 1, err: expect.stringContaining('No database is running') });
});

import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { startChild } from '#test/support/child.js';

const DOOR = resolve('bin/fairlead.js');
let home: string;
let oldNode: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'door-'));
  oldNode = join(home, 'old-node.cjs');
  // What the door looks at; the Node that it then starts isn't told to load this.
  await writeFile(oldNode, `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } });`);
});

afterEach(() => rm(home, { recursive: true, force: true }));

const bundled = ((): string | null => {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/package.json`)), 'bin', 'node');
  } catch {
    return null;
  }
})();

/** A copy of the door with, beside it, what it will look for. */
async function doorIn(root: string, main: string | null): Promise<string> {
  await mkdir(join(root, 'bin'), { recursive: true });
  await cp(DOOR, join(root, 'bin', 'fairlead.js'));
  await writeFile(join(root, 'package.json'), '{"type": "module"}');
  await mkdir(join(root, 'node_modules'));
  if (main !== null) {
    await mkdir(join(root, 'dist', 'bundle'), { recursive: true });
    await writeFile(join(root, 'dist', 'bundle', 'main.js'), main);
  }
  return join(root, 'bin', 'fairlead.js');
}

async function bringBundledNode(root: string): Promise<void> {
  const folder = dirname(dirname(bundled!));
  await symlink(folder, join(root, 'node_modules', `node-${process.platform}-${process.arch}`));
}

const run = (args: string[]) => spawnSync(process.execPath, args, { encoding: 'utf8' });

test('Before npm ci it says so', async () => {
  const door = await doorIn(home, null);
  await rm(join(home, 'node_modules'), { recursive: true });
  const { status, stderr } = run([door, 'dev']);
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('Run `npm ci`') });
});

test('Before npm run build it says so', async () => {
  const { status, stderr } = run([await doorIn(home, null), 'dev']);
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('Run `npm run build`') });
});

test('A package that is missing is named', async () => {
  const { status, stderr } = run([await doorIn(home, `import 'no-such-package';`), 'dev']);
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/no-such-package[^]*npm ci/) });
});

test('Under a Node that is too old, with none bundled, it says what to install', async () => {
  const { status, stderr } = run(['--require', oldNode, await doorIn(home, 'console.log(1)')]);
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/needs Node 22\.19 or newer, and this is 20\.20\.2\. Install Node 24/) });
});

test('A process that serves has options that keep its memory small, and everything else of how it was started', async () => {
  const door = await doorIn(home, 'console.log(process.pid, process.execArgv.join(), process.argv.slice(2).join(), process.env.MALLOC_ARENA_MAX); process.exit(7);');
  const child = startChild([process.execPath, '--no-warnings', door, 'dev', '--port', '0']);
  expect(await child.line(/semi/)).toBe(`${child.pid} --max-semi-space-size=8,--heap-growing-percent=30,--no-parallel-scavenge,--no-maglev,--no-allocation-site-pretenuring,--no-warnings dev,--port,0 1`);
  expect((await child.ended).code).toBe(7);
  expect(run(['--max-semi-space-size=32', door, 'api']).stdout).toContain(' --max-semi-space-size=32 api');
  expect(run([door, 'probe', 'x']).stdout).not.toContain('semi');
});

const withBundled = bundled === null ? test.skip : test;

withBundled('Under a Node that is too old it runs again with the bundled one, with arguments, output and exit code', async () => {
  const door = await doorIn(home, 'console.log(process.versions.node, process.argv.slice(2).join()); process.exit(7);');
  await bringBundledNode(home);
  const { status, stdout } = run(['--require', oldNode, door, 'probe', 'x y']);
  expect(status).toBe(7);
  expect(stdout).toMatch(/^2[2-9]\.\d+\.\d+ probe,x y\n$/);
});

withBundled('Signals reach the bundled Node, and its end by a signal is passed on', async () => {
  const door = await doorIn(home, `process.on('SIGTERM', () => { console.log('told'); process.removeAllListeners('SIGTERM'); process.kill(process.pid, 'SIGTERM'); });
    setInterval(() => {}, 1000); console.log('up');`);
  await bringBundledNode(home);
  const child = startChild([process.execPath, '--require', oldNode, door]);
  await child.line(/up/);
  child.process.kill('SIGTERM');
  await child.line(/told/);
  expect(await child.ended).toEqual({ code: null, signal: 'SIGTERM' });
});

withBundled('When the door is killed, the bundled Node behind it learns of it', async () => {
  const door = await doorIn(home, `process.on('disconnect', () => { console.log('alone'); process.exit(); }); console.log('up');`);
  await bringBundledNode(home);
  const child = startChild([process.execPath, '--require', oldNode, door]);
  await child.line(/up/);
  child.process.kill('SIGKILL');
  await child.line(/alone/);
});

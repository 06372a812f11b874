import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startChild, type Child } from '#test/support/child.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';
import { startEverything, type EverythingServer } from '#test/support/mcp-servers/everything.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const END_OF_BLOCK = '---- end of block ----';
const PERSON = fileURLToPath(new URL('../support/programs/consent.js', import.meta.url));

/** A block of commands, and what the README says that it prints. */
interface Block {
  commands: string;
  printed: string;
}

let folder: string;
let server: EverythingServer;
let guarded: OidcProviderServer;
let fairlead: Child;
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'readme-'));
  await symlink(join(ROOT, 'bin'), join(folder, 'bin'));
  [server, guarded] = await Promise.all([startEverything(), startOidcProvider()]);
  fairlead = startChild([process.execPath, 'bin/fairlead.js', 'dev'], { cwd: folder, env: { PATH: process.env['PATH'], PORT: '0' } });
  url = /http:\S+/.exec(await fairlead.line(/^Fairlead is ready at /))![0];
});

afterAll(async () => {
  fairlead.process.kill('SIGTERM');
  await fairlead.ended;
  await Promise.all([server.close(), guarded.close()]);
  await rm(folder, { recursive: true, force: true });
});

test('the commands of the README, pasted one after the other, print what it says', async () => {
  const blocks = await blocksOf('', url);
  expect(blocks.length).toBeGreaterThanOrEqual(12);
  const outputs = await pasted(blocks, folder);
  const twice = blocks.findIndex(({ commands }) => commands.includes('idempotencyKey'));
  const [first, second] = outputs[twice]!.split('\n').filter((line) => line !== '');
  expect(second).toBe(first);
});

describeNeeding('plane', 'the README\'s journey in Kubernetes', () => {
  const kubectl = spawnSync('kubectl', ['version', '--client']).status === 0;
  let place: string;
  let beside: Child;
  let address: string;
  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'readme-kubernetes-'));
    await symlink(join(ROOT, 'bin'), join(place, 'bin'));
    const env = Object.fromEntries(['PATH', 'HOME', 'XDG_CACHE_HOME', 'KUBEBUILDER_ASSETS', 'GOPATH', 'GOCACHE', 'GOPROXY', 'GOFLAGS'].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
    beside = startChild([process.execPath, 'bin/fairlead.js', 'dev', '--kubernetes'], { cwd: place, env: { ...env, PORT: '0' } });
    address = /http:\S+/.exec(await beside.line(/^Fairlead is ready at /))![0];
    await beside.line(/export KUBECONFIG=/);
  }, PLANE_TIMEOUT_MS);
  afterAll(async () => {
    beside?.process.kill('SIGTERM');
    await beside?.ended;
    await rm(place, { recursive: true, force: true });
  });

  (kubectl ? test : test.skip)(`prints what it says${kubectl ? '' : ' (skipped: there is no kubectl on this machine)'}`, async () => {
    const blocks = await blocksOf('kubernetes', address);
    expect(blocks.length).toBeGreaterThanOrEqual(5);
    await pasted(blocks, place);
  });
});

test('the explorer is where the README says', async () => {
  expect(await readFile(join(ROOT, 'README.md'), 'utf8')).toContain('<http://127.0.0.1:4000/explorer>');
  const response = await fetch(`${url}/explorer`);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
});

test('files and scripts that the README names exist', async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path]) => path!);
  expect(links.length).toBeGreaterThan(15);
  const missing = await Promise.all(links.map((path) => stat(join(ROOT, path)).then(() => null, () => path)));
  expect(missing.filter((path) => path !== null)).toEqual([]);
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
  const named = [...readme.matchAll(/npm run ([a-z-]+)/g)].map(([, name]) => name!);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});

/**
 * Blocks in `bash` of the README with this mark, each with the `json` or `text` block of the same mark that follows before the next one; blocks in `sh` are for people. As printed but for the
 * three addresses: somebody may be using those on the machine that runs the tests.
 */
async function blocksOf(mark: '' | 'kubernetes', ours: string): Promise<Block[]> {
  const readme = (await readFile(join(ROOT, 'README.md'), 'utf8'))
    .replaceAll('http://127.0.0.1:4000', ours).replaceAll('http://127.0.0.1:3001/mcp', server.url).replaceAll('http://127.0.0.1:3002/mcp', guarded.mcp.url);
  const blocks: Block[] = [];
  for (const [, language, text] of readme.matchAll(new RegExp(`^\`\`\`(\\w+)${mark === '' ? '' : ` ${mark}`}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))) {
    if (language === 'bash') blocks.push({ commands: text!, printed: '' });
    else if (language === 'json' || language === 'text') blocks.at(-1)!.printed = text!;
  }
  return blocks;
}

/** What they print in one shell, one after the other, which is what the README says. Where that has a person open a link, a program does it. */
async function pasted(blocks: readonly Block[], cwd: string): Promise<string[]> {
  const script = blocks.map(({ commands }) => `${commands}\n${commands.includes('LINK=') ? `node '${PERSON}' "$LINK"` : ''}\necho '${END_OF_BLOCK}'`).join('\n');
  const path = `${dirname(process.execPath)}:${process.env['PATH']}`;
  const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '-euo', 'pipefail', '-c', script], { cwd, env: { PATH: path } });
  expect(stderr).toBe('');
  const outputs = stdout.split(`${END_OF_BLOCK}\n`).slice(0, -1);
  expect(outputs).toHaveLength(blocks.length);
  blocks.forEach(({ printed }, index) => expect(dense(outputs[index]!)).toMatch(pattern(printed)));
  return outputs;
}

/** "…" stands for anything; white space doesn't count. */
function pattern(printed: string): RegExp {
  return new RegExp(`^${dense(printed).split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('.*?')}$`);
}

function dense(text: string): string {
  return text.replace(/\s+/g, '');
}

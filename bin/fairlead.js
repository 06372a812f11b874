#!/usr/bin/env node
// The door of the command line. It runs on old versions of Node too (18 and later), so that it can say, or find, which one is needed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const main = join(root, 'dist', 'bundle', 'main.js');
// How a process that serves is run; docs/measurements.md has the figures. Without these the process takes two to three times the memory and is no faster: V8 lets the heap
// grow with the machine's memory, its middle compiler holds many functions' graphs at once, and malloc gives each compiling thread an arena of its own.
const SERVES = ['dev', 'api', 'operator'];
const LEAN = { flags: ['--max-semi-space-size=8', '--heap-growing-percent=30', '--no-parallel-scavenge', '--no-maglev', '--no-allocation-site-pretenuring'], env: { MALLOC_ARENA_MAX: '1' } };
const serves = SERVES.includes(process.argv[2]);
// Some libraries check twice as much without it.
process.env.NODE_ENV ??= 'production';
const [major, minor] = process.versions.node.split('.').map(Number);

if (!existsSync(join(root, 'node_modules')) && !root.includes('node_modules')) fail('The dependencies are not installed. Run `npm ci` in ' + root + '.');
else if (!existsSync(main)) fail('Fairlead is not compiled. Run `npm run build` in ' + root + '.');
else if (major > 22 || (major === 22 && minor >= 19)) await (serves && !staysAsItIs() ? becomeLean() : run());
else again();

function staysAsItIs() {
  // Whoever starts it with options for the heap knows better; where the process can't be replaced, or has a channel to its parent, it goes as it is.
  const options = process.execArgv.join(' ') + ' ' + (process.env.NODE_OPTIONS ?? '');
  return /semi.space|heap/.test(options) || process.execve === undefined || process.platform === 'win32' || process.channel !== undefined;
}

/** Replaces this process by one with the options above; its id stays. */
function becomeLean() {
  process.execve(process.execPath, [process.execPath, ...LEAN.flags, ...process.execArgv, ...process.argv.slice(1)], { ...LEAN.env, ...process.env });
}

async function run() {
  try {
    await import('../dist/bundle/main.js');
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    fail(error.message + '\nThe installation is not complete. Run `npm ci`, then `npm run build`, in ' + root + '.');
  }
}

/** Runs this file again with the Node that npm installed beside us. */
function again() {
  const node = bundledNode();
  if (node === null) {
    fail('Fairlead needs Node 22.19 or newer, and this is ' + process.versions.node + '. Install Node 24 (https://nodejs.org)'
      + (process.platform === 'linux' ? ', or run `npm ci` without --omit=optional, which brings it along.' : '.'));
    return;
  }
  // Through the channel it learns when this process is killed, and stops: nobody else would tell it.
  const child = spawn(node, [...(serves ? LEAN.flags : []), fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env: { ...(serves ? LEAN.env : {}), ...process.env },
  });
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'];
  const forward = (signal) => child.kill(signal);
  for (const signal of signals) process.on(signal, forward);
  child.on('error', (error) => fail('The Node at ' + node + ' does not start: ' + error.message + '. Install Node 24 (https://nodejs.org).'));
  child.on('exit', (code, signal) => {
    for (const name of signals) process.removeListener(name, forward);
    if (signal === null) process.exitCode = code;
    else process.kill(process.pid, signal);
  });
}

function bundledNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve('node-' + process.platform + '-' + process.arch + '/package.json');
    const node = join(dirname(manifest), 'bin', 'node');
    return existsSync(node) ? node : null;
  } catch {
    return null;
  }
}

function fail(message) {
  process.stderr.write(message + '\n');
  process.exitCode = 1;
}

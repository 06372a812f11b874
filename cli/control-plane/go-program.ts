import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { DirectoryLock } from '#core/postgres/directory-lock.js';
import { StartFault } from '#core/postgres/start-fault.js';

/** A program in Go that we build ourselves. */
export interface GoProgram {
  /** What the binary is called, in the cache and to people. */
  name: string;
  /** The folder with its `go.mod`. */
  folder: string;
  /** What is built, as the go command takes it: `.`, or the path of a package that `go.mod` requires. */
  target: string;
  /** For the linker, as `-ldflags` takes them. */
  linkerFlags?: string;
}

/** How {@link buildGoProgram} works. */
export interface BuildOptions {
  /** Where binaries are kept, of all programs and versions. */
  cacheFolder: string;
  /** Takes lines for people: a first build takes minutes. */
  say: (line: string) => void;
  now: () => Date;
  /** Ends the build, and the waiting for somebody else's. */
  signal?: AbortSignal;
}

const LOOK_AGAIN_MS = 500;
const SAY_EVERY_MS = 15_000;
const KEEP_MS = 14 * 24 * 3600_000;

/** What `go version` says; null where there is no Go. */
export async function goVersion(): Promise<string | null> {
  return run(['version'], '.').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

/**
 * The path of the program's binary, which is built if nobody did before: once for its sources and the version of Go, whoever asks, from however many processes at once.
 * @throws StartFault with the compiler's words
 */
export async function buildGoProgram(program: GoProgram, options: BuildOptions): Promise<string> {
  const version = await goVersion();
  if (version === null) throw new StartFault('FAILED', `There is no Go on this machine, by which ${program.name} is built. Install Go 1.26 or newer (https://go.dev/dl).`);
  const home = join(options.cacheFolder, program.name);
  const folder = join(home, await fingerprint(program, version));
  const binary = join(folder, program.name);
  const started = options.now().getTime();
  for (let said = started; ; ) {
    options.signal?.throwIfAborted();
    if (await exists(binary)) {
      // Its age says when it was used last.
      await utimes(folder, options.now(), options.now()).catch(() => undefined);
      return binary;
    }
    const lock = await DirectoryLock.tryAcquire(folder, options.now);
    if (lock !== null) {
      try {
        if (!(await exists(binary))) await build(program, folder, binary, options);
        await forgetOld(home, options.now());
      } finally {
        lock.release();
      }
      return binary;
    }
    if (options.now().getTime() - said >= SAY_EVERY_MS) {
      said = options.now().getTime();
      options.say(`Waiting for ${program.name}, which another process builds (${Math.round((said - started) / 1000)} s so far).`);
    }
    await delay(LOOK_AGAIN_MS);
  }
}

async function build(program: GoProgram, folder: string, binary: string, { say, now, signal }: BuildOptions): Promise<void> {
  const started = now().getTime();
  say(`Building ${program.name} with Go. The first time this takes some minutes of two cores, and after that seconds; it is kept in ${folder}.`);
  const total = (await run(['list', '-deps', program.target], program.folder, { signal })).split('\n').length;
  let compiled = 0;
  let said = started;
  const unfinished = `${binary}.${process.pid}`;
  const args = ['build', '-v', '-trimpath', ...(program.linkerFlags === undefined ? [] : ['-ldflags', program.linkerFlags]), '-o', unfinished, program.target];
  await run(args, program.folder, {
    signal,
    heard() {
      compiled += 1;
      if (now().getTime() - said < SAY_EVERY_MS) return;
      said = now().getTime();
      say(`Building ${program.name}: ${compiled} of at most ${total} packages after ${Math.round((said - started) / 1000)} s.`);
    },
  });
  await rename(unfinished, binary);
  say(`Built ${program.name} in ${Math.round((now().getTime() - started) / 1000)} s.`);
}

/** What went into a binary: the sources beside go.mod, the target, and the compiler. */
async function fingerprint(program: GoProgram, version: string): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([version, program.target, program.linkerFlags ?? null]));
  for (const name of (await readdir(program.folder)).sort()) {
    if (!/\.go$|^go\.(mod|sum)$/.test(name) || name.endsWith('_test.go')) continue;
    hash.update(`\0${name}\0`).update(await readFile(join(program.folder, name)));
  }
  return hash.digest('hex').slice(0, 24);
}

/** Binaries are large: those that nobody used for two weeks go. */
async function forgetOld(home: string, now: Date): Promise<void> {
  for (const name of await readdir(home)) {
    const folder = join(home, name);
    const facts = await stat(folder).catch(() => null);
    if (facts !== null && now.getTime() - facts.mtimeMs > KEEP_MS) await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the go command, at a low priority: nobody waits for it who has something better to do. Resolves with stdout. */
function run(args: string[], folder: string, { heard, signal }: { heard?: (line: string) => void; signal?: AbortSignal } = {}): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn('go', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], signal });
  const output: string[] = [];
  const errors: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => output.push(line));
  createInterface({ input: child.stderr }).on('line', (line) => {
    errors.push(line);
    heard?.(line);
  });
  child.once('error', reject);
  child.once('close', (code) => {
    if (code === 0) return resolve(output.join('\n'));
    reject(new StartFault('FAILED', `go ${args[0]} failed in ${folder}: ${errors.slice(-20).join('\n')}`));
  });
  if (child.pid !== undefined) {
    try {
      setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
    } catch {
      // It has ended already, or the system doesn't let us.
    }
  }
  return promise;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}

/** Where programs keep what can be made again (https://specifications.freedesktop.org/basedir-spec/latest/), in a folder of ours. */
export function userCacheFolder(env: Readonly<Record<string, string | undefined>>, platform: NodeJS.Platform, home: string): string {
  const given = env['XDG_CACHE_HOME'];
  if (given !== undefined && given.startsWith('/')) return join(given, 'fairlead');
  return platform === 'darwin' ? join(home, 'Library', 'Caches', 'fairlead') : join(home, '.cache', 'fairlead');
}

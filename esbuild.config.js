// Makes of the compiled program and its dependencies the few files that are run: `node esbuild.config.js`, after `tsc --build`. What V8 keeps of thousands of source files is a fifth of a serving
// process's memory, and reading them half of the time that it takes to start (docs/adr/0040-one-bundle.md).
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const BUNDLE = join('dist', 'bundle');
const MADE = join(BUNDLE, '.made');

/** A module that has a class of every name, and nothing in it. */
const EMPTY_CLASSES = `module.exports = new Proxy({}, { get: (target, name) => (name === '__esModule' ? true : class {}) });`;
/** Drivers of other databases, which TypeORM loads all of: without them a process takes two mebibytes less. Nobody can ask for one, since the store says `postgres`. */
const leaveOutOtherDrivers = {
  name: 'leave out other drivers',
  setup({ onLoad }) {
    onLoad({ filter: /\/typeorm\/driver\/[^/]+\/[^/]+\.js$/ }, ({ path }) => (/\/(postgres|types)\/[^/]+$/.test(path) ? undefined : { contents: EMPTY_CLASSES, loader: 'js' }));
  },
};

/** In a bundle Apollo doesn't find Node's hashes, with a hash for each request, and takes those of a package for browsers: they took a twentieth of a call's time. */
const hashWithNode = {
  name: 'hash with Node',
  setup({ onLoad }) {
    onLoad({ filter: /\/sha\.js\/index\.js$/ }, () => ({ contents: `module.exports = require('node:crypto').createHash;`, loader: 'js' }));
  },
};

/** Of packages that look for modules by themselves at run time. */
const COMMON_JS = `import { createRequire as __createRequire } from 'node:module'; import { fileURLToPath as __pathOf } from 'node:url'; import { dirname as __folderOf } from 'node:path';
const require = __createRequire(import.meta.url), __filename = __pathOf(import.meta.url), __dirname = __folderOf(__filename);`;

async function bundle() {
  await rm(BUNDLE, { recursive: true, force: true });
  await mkdir(BUNDLE, { recursive: true });
  const { outputFiles } = await build({
    // What is loaded on demand stays in files of its own.
    entryPoints: { main: 'dist/cli/main.js', 'check-worker': 'dist/core/tool/check-worker.js' }, outdir: BUNDLE, bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node22',
    minifyWhitespace: true, minifySyntax: true, charset: 'ascii', legalComments: 'external', sourcemap: 'linked', sourcesContent: false, banner: { js: COMMON_JS }, plugins: [leaveOutOtherDrivers, hashWithNode],
    // Parts of packages that nobody asks for, or that they do without where they aren't installed.
    external: ['class-validator', 'pg-native', 'pg-query-stream', 'bufferutil', 'utf-8-validate', '@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler'],
    write: false, logLevel: 'warning',
  });
  // A character beyond ASCII, which esbuild leaves in regular expressions, would have V8 keep two bytes for each of the file's.
  const oneByte = (text) => text.replace(/[^\0-\x7f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  for (const { path, text } of outputFiles) await writeFile(path, path.endsWith('.js') ? oneByte(text) : text);
  await writeFile(MADE, '');
}

async function isMade() {
  const time = (path) => stat(path).then(({ mtimeMs }) => mtimeMs, () => null);
  const made = await time(MADE);
  const sources = await Promise.all(['dist/.tsbuildinfo', 'package-lock.json', 'esbuild.config.js'].map(time));
  return made !== null && sources.every((source) => source !== null && source < made);
}

if (!await isMade()) await bundle();

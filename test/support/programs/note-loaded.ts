import { existsSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

// Preloaded into a program, it says at the end which packages and which of Node's own modules were loaded, as one line of JSON on standard output.
const packages = new Set<string>();
registerHooks({
  load(url, context, next) {
    for (const source of sourcesOf(url)) {
      const found = [...source.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)/g)].at(-1)?.[1];
      if (found !== undefined) packages.add(found);
    }
    return next(url, context);
  },
});

/** Of what a file of the bundle was made, by the map beside it; of any other, the file itself. */
function sourcesOf(url: string): string[] {
  const map = url.startsWith('file:') ? `${fileURLToPath(url)}.map` : '';
  return url.includes('/dist/bundle/') && existsSync(map) ? (JSON.parse(readFileSync(map, 'utf8')) as { sources: string[] }).sources : [url];
}
process.once('exit', () => {
  const { moduleLoadList } = process as unknown as { moduleLoadList: string[] };
  process.stdout.write(`loaded: ${JSON.stringify([...packages, ...moduleLoadList])}\n`);
});

import { registerHooks } from 'node:module';

// Preloaded into a program, it says at the end which packages and which of Node's own modules were loaded, as one line of JSON on standard output.
const packages = new Set<string>();
registerHooks({
  load(url, context, next) {
    const found = [...url.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)/g)].at(-1)?.[1];
    if (found !== undefined) packages.add(found);
    return next(url, context);
  },
});
process.once('exit', () => {
  const { moduleLoadList } = process as unknown as { moduleLoadList: string[] };
  process.stdout.write(`loaded: ${JSON.stringify([...packages, ...moduleLoadList])}\n`);
});

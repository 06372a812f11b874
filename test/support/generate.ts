import { writeFile } from 'node:fs/promises';
import { migrate } from '#core/store/migrate.js';
import { GENERATED } from './generated.js';
import { startTestServer, type TestServer } from './test-server.js';

// Writes the generated files that are named, or all of them: `npm run generate [-- config|schema|database]`, in the root of the repository.
const names = process.argv.slice(2);
const servers: TestServer[] = [];
async function migrated(): Promise<string> {
  const server = await startTestServer('node_modules/.cache/fairlead');
  servers.push(server);
  await migrate(server.url);
  return server.url;
}
try {
  for (const name of names.length > 0 ? names : Object.keys(GENERATED)) {
    const file = GENERATED[name];
    if (file === undefined) throw new Error(`There is no generated file "${name}": choose from ${Object.keys(GENERATED).join(', ')}.`);
    await writeFile(file.path, await file.make(migrated));
    process.stdout.write(`${file.path}\n`);
  }
} finally {
  for (const server of servers) await server.stop();
}

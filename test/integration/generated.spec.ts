import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { MIGRATED } from '#test/support/api.js';
import { createDatabase } from '#test/support/database.js';
import { GENERATED } from '#test/support/generated.js';

it.each(Object.entries(GENERATED))('the committed %s is what the sources make of it', async (_name, { path, command, make }) => {
  const database = await createDatabase(MIGRATED);
  try {
    if (readFileSync(path, 'utf8') !== (await make(async () => database.url))) throw new Error(`${path} is stale: run \`${command}\`, look at the difference, and commit it.`);
  } finally {
    await database.drop();
  }
  expect(path).toMatch(/^(schema|charts\/fairlead)\//);
});

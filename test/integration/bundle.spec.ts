import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildClientSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema, type IntrospectionQuery } from 'graphql';
import { LocalState } from '#test/support/local-fairlead.js';

const FOLDER = 'dist/bundle';

it('what runs has the committed schema: no class that GraphQL or TypeORM knows by its name has another one in the bundle', async () => {
  const state = await LocalState.create();
  try {
    const fairlead = await state.start();
    const { data } = await fairlead.gql(getIntrospectionQuery({ specifiedByUrl: true }), {}) as { data: IntrospectionQuery };
    const served = printSchema(lexicographicSortSchema(buildClientSchema(data)));
    const committed = readFileSync('schema/schema.graphql', 'utf8').split('\n').filter((line) => !line.startsWith('#')).join('\n');
    expect(served.trim()).toBe(committed.trim());
  } finally {
    await state.remove();
  }
});

it('each file has a map beside it and no character that takes two bytes, which V8 would then keep for all of them', () => {
  const names = readdirSync(FOLDER);
  const files = names.filter((name) => name.endsWith('.js'));
  expect(files).toEqual(expect.arrayContaining(['main.js', 'check-worker.js']));
  expect(files.filter((name) => !names.includes(`${name}.map`))).toEqual([]);
  expect(files.filter((name) => /[^\0-\x7f]/.test(readFileSync(join(FOLDER, name), 'utf8')))).toEqual([]);
});

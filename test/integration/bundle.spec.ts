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

it('hashes are Node\'s, and not those for browsers that Apollo falls back to in a bundle', () => {
  const sources = readdirSync(FOLDER).filter((name) => name.endsWith('.map')).flatMap((name) => (JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as { sources: string[] }).sources);
  expect(sources.filter((path) => path.includes('@apollo/utils.createhash/'))).toHaveLength(1);
  expect(sources.filter((path) => path.includes('/sha.js/sha'))).toEqual([]);
});

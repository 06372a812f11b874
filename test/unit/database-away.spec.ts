import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isDatabaseAway } from '#core/store/database-away.js';

const libraries = ['pg/lib/client.js', 'pg-pool/index.js'].map((path) => readFileSync(resolve('node_modules', path), 'utf8')).join('');

test.each(['Connection terminated', 'Connection terminated unexpectedly', 'timeout exceeded when trying to connect', 'Client has encountered a connection error', 'Client was closed'])('what the driver says without a code is taken for an absence: %s', (words) => {
  expect(libraries).toContain(words);
  expect(isDatabaseAway(new Error(words))).toBe(true);
});

test.each([['57P01', true], ['57P03', true], ['08006', true], ['53300', true], ['ECONNREFUSED', true], ['23505', false], ['22021', false], ['57014', false], ['40P01', false]])('by its code, also inside of the error that TypeORM makes of it: %s', (code, away) => {
  const error = Object.assign(new Error('x'), { code });
  expect([isDatabaseAway(error), isDatabaseAway(Object.assign(new Error('y'), { driverError: error }))]).toEqual([away, away]);
});

test('anything else is none', () => {
  for (const other of [null, undefined, 'Connection terminated', new Error('a fault of ours'), {}]) expect(isDatabaseAway(other)).toBe(false);
});

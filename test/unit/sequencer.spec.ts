import { globSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import Sequencer, { LONG } from '#test/support/sequencer.js';

const files = globSync('dist/test/{unit,integration,browser}/*.spec.js').map((path) => ({ path }));

it('files that take long come in the order that is written down, and none of them is gone', () => {
  expect(new Sequencer().sort(files).slice(0, LONG.length).map(({ path }) => basename(path, '.spec.js'))).toEqual(LONG);
});

it('all others come after them, the largest first', () => {
  const sizes = new Sequencer().sort(files).slice(LONG.length).map(({ path }) => statSync(path).size);
  expect(sizes).toEqual(sizes.toSorted((one, other) => other - one));
  expect(sizes.length).toBeGreaterThan(100);
});

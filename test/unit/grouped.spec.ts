import { isDataFault } from '#core/store/data-fault.js';
import { Grouped } from '#core/store/grouped.js';

/** Groups that are committed when the test says so, with every item but `bad`. */
function grouped(sqlState = '22021') {
  const groups: string[][] = [];
  const commits: (() => void)[] = [];
  const items = new Grouped<string, void>({
    mark: () => null, isItemFault: isDataFault,
    write: async (group) => {
      groups.push([...group]);
      await new Promise<void>((resolve) => { commits.push(resolve); });
      if (group.includes('bad')) throw Object.assign(new Error('not stored'), { code: sqlState });
      return [];
    },
  });
  const commit = async (): Promise<void> => {
    commits.shift()!();
    await new Promise((resolve) => { setImmediate(resolve); });
  };
  return { groups, items, commit };
}

test('what comes while others are committed is committed together, and nobody is told sooner', async () => {
  const { groups, items, commit } = grouped();
  const told: string[] = [];
  for (const code of ['one', 'two', 'three']) void items.add(code).then(() => told.push(code));
  expect(groups).toEqual([['one']]);
  await commit();
  expect([groups, told]).toEqual([[['one'], ['two', 'three']], ['one']]);
  await commit();
  expect(told).toEqual(['one', 'two', 'three']);
  void items.add('four');
  expect(groups.at(-1)).toEqual(['four']);
});

test('one that can\'t be stored fails alone', async () => {
  const { groups, items, commit } = grouped();
  const outcomes = Promise.allSettled(['first', 'good', 'bad', 'better'].map((code) => items.add(code)));
  for (let commits = 0; commits < 5; commits++) await commit();
  expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect(groups).toEqual([['first'], ['good', 'bad', 'better'], ['good'], ['bad'], ['better']]);
});

test('where the database fails, a group fails as one: trying each alone would only take longer', async () => {
  const { groups, items, commit } = grouped('57P01');
  const outcomes = Promise.allSettled(['first', 'good', 'bad'].map((code) => items.add(code)));
  for (let commits = 0; commits < 2; commits++) await commit();
  expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  expect(groups).toEqual([['first'], ['good', 'bad']]);
});

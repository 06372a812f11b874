import { Intake } from '#api/http/intake.js';

const turn = () => new Promise((resolve) => { setImmediate(resolve); });

test('so many begin at once, the others in the next turns, the first first', async () => {
  const intake = new Intake(2);
  const begun: number[] = [];
  for (let number = 1; number <= 5; number++) intake.take(() => begun.push(number));
  expect([begun, intake.size]).toEqual([[1, 2], 3]);
  await turn();
  expect([begun, intake.size]).toEqual([[1, 2, 3, 4], 1]);
  // Who comes now comes after those who wait, although there would be room in this turn.
  intake.take(() => begun.push(6));
  await turn();
  expect([begun, intake.size]).toEqual([[1, 2, 3, 4, 5, 6], 0]);
});

test('after a turn without any there is room again', async () => {
  const intake = new Intake(1);
  const begun: string[] = [];
  intake.take(() => begun.push('one'));
  await turn();
  intake.take(() => begun.push('two'));
  expect(begun).toEqual(['one', 'two']);
});

test('what is begun may bring more, which waits its turn', async () => {
  const intake = new Intake(1);
  const begun: string[] = [];
  intake.take(() => {
    begun.push('first');
    intake.take(() => begun.push('brought along'));
  });
  expect(begun).toEqual(['first']);
  await turn();
  expect(begun).toEqual(['first', 'brought along']);
});

test('many leave no trace', async () => {
  const intake = new Intake(3);
  let begun = 0;
  for (let number = 0; number < 100; number++) intake.take(() => { begun += 1; });
  while (intake.size > 0) await turn();
  expect(begun).toBe(100);
});

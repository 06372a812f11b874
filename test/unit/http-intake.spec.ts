import { Intake } from '#api/http/intake.js';

const turn = () => new Promise((resolve) => { setImmediate(resolve); });
let now = 0;
const made = (perTurn: number) => new Intake({ perTurn, lateMs: 100, clock: () => now });
beforeEach(() => { now = 0; });

test('so many begin at once, the others in the next turns, the newest first', async () => {
  const intake = made(2);
  const begun: number[] = [];
  for (let number = 1; number <= 5; number++) intake.take(() => begun.push(number));
  expect([begun, intake.size]).toEqual([[1, 2], 3]);
  await turn();
  expect([begun, intake.size]).toEqual([[1, 2, 5, 4], 1]);
  await turn();
  expect([begun, intake.size]).toEqual([[1, 2, 5, 4, 3], 0]);
});

test('after a turn without any there is room again', async () => {
  const intake = made(1);
  const begun: string[] = [];
  intake.take(() => begun.push('one'));
  await turn();
  intake.take(() => begun.push('two'));
  expect(begun).toEqual(['one', 'two']);
});

test('who has waited for too long begins beside the newest, and is told so', async () => {
  const intake = made(1);
  const begun: string[] = [];
  const take = (name: string) => intake.take((waitedMs) => begun.push(`${name}${waitedMs > 0 ? `, after ${waitedMs}` : ''}`));
  for (const name of ['first', 'second', 'third']) take(name);
  now = 100;
  for (const name of ['fourth', 'fifth']) take(name);
  await turn();
  expect(begun).toEqual(['first', 'second, after 100', 'fifth']);
  await turn();
  expect(begun).toEqual(['first', 'second, after 100', 'fifth', 'third, after 100', 'fourth']);
});

test('however many wait, those that are late are through in a number of turns that doesn\'t grow with them', async () => {
  const intake = made(1);
  let late = 0;
  for (let number = 0; number < 5000; number++) intake.take((waitedMs) => { late += Number(waitedMs > 0); });
  now = 100;
  for (let turns = 0; intake.size > 0; turns++) {
    if (turns > 64 * 8) throw new Error(`${intake.size} still wait`);
    await turn();
  }
  expect(late).toBeGreaterThan(4500);
});

test('what is begun may bring more, which waits its turn', async () => {
  const intake = made(1);
  const begun: string[] = [];
  intake.take(() => {
    begun.push('first');
    intake.take(() => begun.push('brought along'));
  });
  expect(begun).toEqual(['first']);
  await turn();
  expect(begun).toEqual(['first', 'brought along']);
});

import type { NewAuditEvent } from '#core/store/audit-trail.js';
import { Refusals } from '#api/call/refusals.js';

const refused = (code: string): NewAuditEvent => ({
  teamId: null, actorId: null, actorName: 'ada', onBehalfOfName: null, tokenId: null, action: 'callTool', subjectType: null, subjectId: null, subjectName: null, outcome: 'REFUSED', code, requestId: code,
});

/** A trail that commits when it is told to, and takes everything but what is `bad`. */
function trail(sqlState = '22021') {
  const groups: string[][] = [];
  const commits: (() => void)[] = [];
  const refusals = new Refusals(async (events) => {
    groups.push(events.map(({ code }) => code!));
    await new Promise<void>((resolve) => { commits.push(resolve); });
    if (events.some(({ code }) => code === 'bad')) throw Object.assign(new Error('not stored'), { code: sqlState });
  });
  const commit = async (): Promise<void> => {
    commits.shift()!();
    await new Promise((resolve) => { setImmediate(resolve); });
  };
  return { groups, refusals, commit };
}

test('what comes while others are committed is committed together, and nobody is told sooner', async () => {
  const { groups, refusals, commit } = trail();
  const told: string[] = [];
  for (const code of ['one', 'two', 'three']) void refusals.append(refused(code)).then(() => told.push(code));
  expect(groups).toEqual([['one']]);
  await commit();
  expect([groups, told]).toEqual([[['one'], ['two', 'three']], ['one']]);
  await commit();
  expect(told).toEqual(['one', 'two', 'three']);
  void refusals.append(refused('four'));
  expect(groups.at(-1)).toEqual(['four']);
});

test('one that can\'t be stored fails alone', async () => {
  const { groups, refusals, commit } = trail();
  const outcomes = Promise.allSettled(['first', 'good', 'bad', 'better'].map((code) => refusals.append(refused(code))));
  for (let commits = 0; commits < 5; commits++) await commit();
  expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect(groups).toEqual([['first'], ['good', 'bad', 'better'], ['good'], ['bad'], ['better']]);
});

test('where the database fails, a group fails as one: trying each alone would only take longer', async () => {
  const { groups, refusals, commit } = trail('57P01');
  const outcomes = Promise.allSettled(['first', 'good', 'bad'].map((code) => refusals.append(refused(code))));
  for (let commits = 0; commits < 2; commits++) await commit();
  expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  expect(groups).toEqual([['first'], ['good', 'bad']]);
});

import { Chance } from '#test/chaos/chance.js';
import { judge, LOST, settled, type Evidence } from '#test/chaos/judge.js';
import { planOf } from '#test/chaos/plan.js';

const ADA = { name: 'ada', enrollmentId: 'e-ada', memberId: 'm-ada', credential: 'grant-ada', method: 'OAUTH' } as const;
const BOB = { name: 'bob', enrollmentId: 'e-bob', memberId: 'm-bob', credential: 'key-bob', method: 'ACCESS_TOKEN' } as const;
const REFUSED = 'The provider\'s answer to an earlier refresh was lost, and it refused the next one. Sign in again with startAuthorization.';

const presentation = (token: string, began: number, values: Partial<Evidence['presented'][number]> = {}) => ({ token, grantId: 'grant-ada', began, ended: began + 100, status: 200, error: null, ...values });
const change = (at: number, fresh: string, enrollmentId = ADA.enrollmentId) => ({ enrollmentId, at, fresh, authorized: null });
const answer = (id: string, text: string, status = 'SUCCEEDED') => ({ at: 0, call: { id, status, text }, code: null, message: null });
const end = (id: string, values: Partial<Evidence['ends'][number]> = {}) => ({ kind: 'Enrollment' as const, id, ready: true, reason: 'Ready', message: '', ...values });

/** A run in which everything held: one kill in the middle of a refresh, whose token was then presented once more, and refused. */
function held(): Evidence {
  return {
    logins: [ADA, BOB],
    faults: [{ process: 'api 1', kind: 'KILL', at: 1000, until: 2000 }],
    presented: [presentation('first', 0), presentation('second', 950), presentation('second', 32_000, { status: 400, error: 'invalid_grant' })],
    changes: [change(100, 'Planned'), change(31_000, LOST), change(32_100, 'ConsentRequired')],
    sightings: [{ nonce: 'ada:1', credential: 'grant-ada' }, { nonce: 'bob:1', credential: 'key-bob' }],
    calls: [
      { login: 'ada', nonce: 'ada:1', key: 'k', answers: [answer('c1', 'ada:1'), answer('c1', 'ada:1')], unanswered: 1 },
      { login: 'bob', nonce: 'bob:1', key: null, answers: [answer('c2', 'bob:1')], unanswered: 0 },
      { login: 'ada', nonce: 'ada:2', key: null, answers: [{ at: 0, call: null, code: 'ACTION_REQUIRED', message: REFUSED }], unanswered: 0 },
    ],
    records: [{ id: 'c1', callerId: 'm-ada', enrollmentId: 'e-ada', status: 'SUCCEEDED' }, { id: 'c2', callerId: 'm-bob', enrollmentId: 'e-bob', status: 'OUTCOME_UNKNOWN' }],
    ends: [end('t', { kind: 'ConnectionType' }), end('e-bob'), end('e-ada', { ready: false, reason: 'ConsentRequired', message: REFUSED })],
  };
}

test('A run in which everything held, with a kill in the middle of a refresh, is found right', () => {
  expect(judge(held())).toEqual([]);
});

/** What is planted, and what the judge must say. */
const PLANTED: [what: string, plant: (evidence: Evidence) => Partial<Evidence>, says: RegExp][] = [
  ['a presentation that the log has twice', ({ presented }) => ({ presented: [...presented, presentation('first', 5000)] }), /token of ada was presented again, and no RefreshOutcomeUnknown/],
  ['a repeat before its loss was on record', ({ changes }) => ({ changes: changes.map((one) => (one.fresh === LOST ? { ...one, at: 33_000 } : one)) }), /presented again, and no RefreshOutcomeUnknown/],
  ['a third presentation', ({ presented }) => ({ presented: [...presented, presentation('second', 40_000)] }), /presented 3 times/],
  ['presentations that overlap', ({ presented }) => ({ presented: [...presented, presentation('second', 1000)] }), /overlapped by 50 ms/],
  ['a refusal of a token that was never presented', ({ presented }) => ({ presented: [...presented, presentation('third', 7000, { status: 400, error: 'invalid_grant' })] }), /first presentation .* was refused: invalid_grant/],
  ['a token that nobody was given', ({ presented }) => ({ presented: [...presented, presentation('strange', 7000, { grantId: null })] }), /belongs to no login/],
  ['a loss without a fault', () => ({ faults: [] }), /no kill or pause explains it/],
  ['two losses of one login by one fault', ({ changes }) => ({ changes: [...changes, change(50_000, LOST)] }), /no kill or pause explains it/],
  ['an answered call without its record', ({ records }) => ({ records: records.slice(1) }), /ada:1 was answered as c1, and isn't on record/],
  ['a record that says another end, of a call with a key', ({ records }) => ({ records: records.map((one) => ({ ...one, status: 'OUTCOME_UNKNOWN' })) }), /ada:1 was answered as SUCCEEDED, with a key, and is on record as OUTCOME_UNKNOWN/],
  ['a record of somebody else', ({ records }) => ({ records: records.map((one) => ({ ...one, callerId: 'm-bob' })) }), /ada:1 is on record as somebody else's/],
  ['a record that still runs', ({ records }) => ({ records: [...records, { id: 'c9', callerId: 'm-ada', enrollmentId: 'e-ada', status: 'RUNNING' }] }), /c9 is on record as RUNNING/],
  ['answers that were exchanged', ({ calls }) => ({ calls: calls.map((one) => ({ ...one, answers: one.answers.map((given) => (given.call === null ? given : answer(given.call.id, 'bob:1'))) })) }), /ada:1 was answered with "bob:1"/],
  ['a key that gave two calls', ({ calls, records }) => ({ calls: calls.map((one) => (one.key === null ? one : { ...one, answers: [answer('c1', 'ada:1'), answer('c3', 'ada:1')] })), records: [...records, { ...records[0]!, id: 'c3' }] }), /key of ada:1 gave several calls/],
  ['a call that ran twice', ({ sightings }) => ({ sightings: [...sightings, sightings[0]!] }), /ada:1 ran twice/],
  ['a credential of somebody else', ({ sightings }) => ({ sightings: sightings.map((one) => ({ ...one, credential: 'grant-ada' })) }), /bob:1 reached its server with another credential/],
  ['a success that no server saw', () => ({ sightings: [] }), /no server saw it/],
  ['a fault of ours', ({ calls }) => ({ calls: [...calls, { login: 'bob', nonce: 'bob:2', key: null, answers: [{ at: 0, call: null, code: 'INTERNAL_SERVER_ERROR', message: 'x' }], unanswered: 0 }] }), /bob:2 was answered with a fault of ours/],
  ['a login that a person must see to without a loss', ({ calls }) => ({ calls: [...calls, { ...calls[2]!, login: 'bob', nonce: 'bob:2' }] }), /bob:2 was refused with ACTION_REQUIRED/],
  ['something that isn\'t Ready', ({ ends }) => ({ ends: ends.map((one) => (one.id === 'e-bob' ? { ...one, ready: false, reason: 'Unreachable' } : one)) }), /bob isn't Ready at the end: Unreachable/],
  ['a lost login that doesn\'t say why it is over', ({ ends }) => ({ ends: ends.map((one) => ({ ...one, message: 'Sign in again.' })) }), /ada isn't Ready .* doesn't say so/],
];

test.each(PLANTED)('The judge finds %s', (_what, plant, says) => {
  const evidence = held();
  expect(judge({ ...evidence, ...plant(evidence) })).toContainEqual(expect.stringMatching(says));
});

test('What waits for the second presentation has not settled; what is Ready, or waits for a person, has', () => {
  expect(settled(end('e'), change(0, 'Planned'))).toBe(true);
  expect(settled(end('e'), change(0, LOST))).toBe(false);
  expect(settled(end('e', { ready: false, reason: 'RefreshFailed' }), change(0, 'RefreshFailed'))).toBe(false);
  expect(settled(end('e', { ready: false, reason: 'ConsentRequired' }), change(0, 'ConsentRequired'))).toBe(true);
  expect(settled(end('t', { kind: 'ConnectionType', ready: false }), undefined)).toBe(false);
});

test('A seed draws the same again, and another one something else', () => {
  const draw = (seed: number) => Array.from({ length: 5 }, ((chance: Chance) => () => chance.between(0, 100))(new Chance(seed)));
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test('The flags say how long, and what by; unknown ones are refused', () => {
  expect(planOf(['--minutes', '3', '--seed', '0'], 9)).toMatchObject({ forMs: 180_000, seed: 0, people: 24 });
  expect(planOf([], 9)).toMatchObject({ forMs: 120_000, seed: 9, people: 16 });
  expect(() => planOf(['--forever', '1'], 9)).toThrow(/--forever isn't known[^]*--minutes/);
  expect(() => planOf(['--minutes'], 9)).toThrow(/lacks its number/);
});

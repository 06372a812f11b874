import { nonceIn } from '#test/soak/callers.js';
import type { Holding } from '#test/soak/flatness.js';
import { judge, type Evidence } from '#test/soak/judge.js';
import { planOf } from '#test/soak/plan.js';

const MIB = 1024 * 1024;
const ADA = { name: 'ada:steady', enrollmentId: 'e-ada', memberId: 'm-ada', credential: 'key-ada' };
const BOB = { name: 'bob:slow', enrollmentId: 'e-bob', memberId: 'm-bob', credential: 'key-bob' };

const answer = (id: string, text: string | null, status = 'SUCCEEDED') => ({ at: 0, call: { id, status, text }, code: null, message: null });
const holding = (values: Partial<Holding> = {}): Holding => ({ liveBytes: 60 * MIB, residentMiB: 150, databaseSockets: 12, otherSockets: 20, ...values });

/** A run in which everything held: a call with a key that was answered twice, one that didn't wait, and one whose record the death of its API left open. */
function held(): Evidence {
  return {
    logins: [ADA, BOB], kills: 1, warm: holding({ databaseSockets: 7 }), end: holding({ liveBytes: 65 * MIB, residentMiB: 180, otherSockets: 22 }),
    sightings: [{ nonce: 'ada:steady:1', credential: 'key-ada' }, { nonce: 'bob:slow:1', credential: 'key-bob' }, { nonce: 'bob:slow:2', credential: 'key-bob' }],
    calls: [
      { login: ADA.name, nonce: 'ada:steady:1', key: 'k', waits: true, answers: [answer('c1', 'ada:steady:1'), answer('c1', 'ada:steady:1')], unanswered: 1 },
      { login: BOB.name, nonce: 'bob:slow:1', key: null, waits: false, answers: [answer('c2', null, 'RUNNING'), answer('c2', 'bob:slow:1')], unanswered: 0 },
      { login: BOB.name, nonce: 'bob:slow:2', key: null, waits: true, answers: [answer('c3', 'bob:slow:2')], unanswered: 0 },
      { login: BOB.name, nonce: 'bob:slow:3', key: null, waits: true, answers: [{ at: 0, call: null, code: 'OVERLOADED', message: 'Try again.' }], unanswered: 0 },
    ],
    records: [
      { id: 'c1', callerId: 'm-ada', enrollmentId: 'e-ada', status: 'SUCCEEDED' }, { id: 'c2', callerId: 'm-bob', enrollmentId: 'e-bob', status: 'SUCCEEDED' },
      { id: 'c3', callerId: 'm-bob', enrollmentId: 'e-bob', status: 'OUTCOME_UNKNOWN' },
    ],
  };
}

test('A run in which everything held is found right, and so is one on a system where nobody can look into processes', () => {
  expect(judge(held())).toEqual([]);
  expect(judge({ ...held(), warm: null, end: null })).toEqual([]);
});

/** What is planted, and what the judge must say. */
const PLANTED: [what: string, plant: (evidence: Evidence) => Partial<Evidence>, says: RegExp][] = [
  ['an answered call without its record', ({ records }) => ({ records: records.slice(1) }), /ada:steady:1 was answered as c1, and isn't on record/],
  ['an answer of somebody else', ({ calls }) => ({ calls: calls.map((one) => (one.login === ADA.name ? { ...one, answers: [answer('c1', 'bob:slow:1')] } : one)) }), /ada:steady:1 was answered with "bob:slow:1"/],
  ['a result that was cut', ({ calls }) => ({ calls: calls.map((one) => (one.login === ADA.name ? { ...one, answers: [answer('c1', nonceIn('ada:steady:1 9 xxx'))] } : one)) }), /answered with "ada:steady:1, of 9 characters 18"/],
  ['a call with a key that ran twice', ({ sightings }) => ({ sightings: [...sightings, sightings[0]!] }), /ada:steady:1 ran twice/],
  ['a credential of somebody else', ({ sightings }) => ({ sightings: sightings.map((one) => ({ ...one, credential: 'key-ada' })) }), /bob:slow:1 reached its server with another credential/],
  ['a record of somebody else', ({ records }) => ({ records: records.map((one) => ({ ...one, callerId: 'm-bob' })) }), /ada:steady:1 is on record as somebody else's/],
  ['a row that runs for ever', ({ records }) => ({ records: [...records, { id: 'c9', callerId: 'm-ada', enrollmentId: 'e-ada', status: 'RUNNING' }] }), /c9 is on record as RUNNING/],
  ['a call that didn\'t wait, whose told end isn\'t the recorded one', ({ records }) => ({ records: records.map((one) => (one.id === 'c2' ? { ...one, status: 'OUTCOME_UNKNOWN' } : one)) }), /bob:slow:1 was answered as SUCCEEDED.* on record as OUTCOME_UNKNOWN/],
  ['a fault of ours', ({ calls }) => ({ calls: [...calls, { ...calls[3]!, answers: [{ at: 0, call: null, code: 'INTERNAL', message: 'x' }] }] }), /answered with a fault of ours: INTERNAL/],
  ['memory that grows', () => ({ end: holding({ liveBytes: 90 * MIB }) }), /Memory isn't flat: 60 MiB lived on after warming up, 90 MiB/],
  ['resident memory that grows', () => ({ end: holding({ residentMiB: 260 }) }), /Resident memory isn't flat: 150 MiB .* 260 MiB/],
  ['sockets that stay open', () => ({ end: holding({ otherSockets: 30 }) }), /Sockets aren't flat: 20 .* 30/],
  ['connections to the database that stay open', () => ({ end: holding({ databaseSockets: 25 }) }), /25 connections to the database/],
  ['a run in which nobody died', () => ({ kills: 0 }), /No API was killed/],
  ['a server whose calls all failed', ({ calls }) => ({ calls: calls.filter(({ login }) => login === ADA.name) }), /No call to the slow server succeeded/],
];

test.each(PLANTED)('The judge finds %s', (_what, plant, says) => {
  const evidence = held();
  expect(judge({ ...evidence, ...plant(evidence) })).toContainEqual(expect.stringMatching(says));
});

test('A huge result that came whole is told by its nonce alone', () => {
  expect(nonceIn(`ada:huge:1 3 xxx`)).toBe('ada:huge:1');
  expect(nonceIn('ada:steady:1')).toBe('ada:steady:1');
});

test('The flags say how long, and what by; unknown ones are refused', () => {
  expect(planOf(['--minutes', '3', '--seed', '0', '--callers', '5'], 9)).toEqual({ forMs: 180_000, seed: 0, people: 8, callers: 5 });
  expect(planOf(['--seconds', '30'], 9)).toMatchObject({ forMs: 30_000, seed: 9 });
  expect(() => planOf(['--forever', '1'], 9)).toThrow(/--forever isn't known[^]*--minutes/);
  expect(() => planOf(['--minutes'], 9)).toThrow(/lacks its number/);
});

import { describe, expect, it } from '@jest/globals';
import type { Condition } from '#core/connection/condition.js';
import { discoveryIsDue, nextLookMs as nextLookAtServer } from '#operator/kinds/connection-type/policies.js';
import { aPersonMustAct, loginIsDue, nextLookMs, refreshTime, trialIsDue, type EnrollmentFacts } from '#operator/kinds/enrollment/policies.js';
import { backOffMs } from '#operator/runtime/back-off.js';

const now = new Date('2026-01-01T12:00:00Z');
const at = (seconds: number): Date => new Date(now.getTime() + seconds * 1000);
const HOUR = 3600;
const DAY_MS = 24 * HOUR * 1000;
const is = (type: string, status: Condition['status'], reason: string): Condition => ({ type, status, reason, message: '', lastTransitionTime: '', observedGeneration: 1 });
const GRANT = { attemptId: null, attemptUntil: null, expiresAt: at(60), nextAttemptAt: null, obtainedAt: at(-60), outcomeUnknownAt: null, refreshAt: at(20), refreshable: true };
const fixed = (values: Partial<EnrollmentFacts>): EnrollmentFacts => ({
  kind: 'ACCESS_TOKEN', holdsCredential: true, suspended: false, conditions: [is('Authorized', 'TRUE', 'Accepted')], triedAt: at(-60), wantsOwnList: false, serverReachable: true, grant: null, now, ...values,
});
const oauth = (grant: Partial<typeof GRANT> | object = {}, values: Partial<EnrollmentFacts> = {}) => fixed({ kind: 'OAUTH', grant: { ...GRANT, ...grant } as EnrollmentFacts['grant'], ...values });

describe('an enrollment', () => {
  it.each<[string, EnrollmentFacts, { person?: boolean; refresh?: boolean; trial?: boolean; nextS?: number }]>([
    ['that works', fixed({}), { nextS: HOUR - 60 }],
    ['whose hour is over', fixed({ triedAt: at(-HOUR) }), { trial: true, nextS: 30 }],
    ['that was never tried', fixed({ triedAt: null }), { trial: true, nextS: 30 }],
    ['whose hour is over, while the server is down', fixed({ triedAt: at(-HOUR), serverReachable: false }), { nextS: 30 }],
    ['without a credential of its own', fixed({ kind: 'NONE', triedAt: null }), { nextS: 24 * HOUR }],
    ['without its own list', fixed({ wantsOwnList: true }), { trial: true, nextS: 30 }],
    ['without its own list, and refused', fixed({ wantsOwnList: true, conditions: [is('Authorized', 'FALSE', 'CredentialRejected')] }), { nextS: HOUR - 60 }],
    ['that is suspended', fixed({ suspended: true, triedAt: null }), { person: true, nextS: 24 * HOUR }],
    ['that was cleared', fixed({ holdsCredential: false }), { person: true, nextS: 24 * HOUR }],
    ['that waits for consent', fixed({ kind: 'OAUTH', holdsCredential: false }), { person: true, nextS: 24 * HOUR }],
    ['whose login is fresh', oauth(), { nextS: 20 }],
    ['whose login is due', oauth({ refreshAt: at(0) }), { refresh: true, nextS: 30 }],
    ['whose provider failed a moment ago', oauth({ refreshAt: at(-5), nextAttemptAt: at(7) }), { nextS: 7 }],
    ['that another one refreshes now', oauth({ attemptId: 'a', attemptUntil: at(25), refreshAt: at(-5) }), { nextS: 25 }],
    ['whose refresh was lost with its process', oauth({ attemptId: 'a', attemptUntil: at(-1) }), { refresh: true, nextS: 30 }],
    ['whose answer was lost: not before its access token ends', oauth({ outcomeUnknownAt: at(-5), refreshAt: at(-6) }), { nextS: 50 }],
    ['that can\'t be renewed: at its end', oauth({ refreshable: false, refreshAt: null }), { nextS: 50 }],
    ['that can\'t be renewed, at its end', oauth({ refreshable: false, refreshAt: null, expiresAt: at(0) }), { refresh: true, nextS: 30 }],
    ['without an expiry', oauth({ expiresAt: null, refreshAt: null }), { nextS: HOUR - 60 }],
    ['that needs consent', oauth({ refreshAt: at(-5) }, { conditions: [is('Authorized', 'FALSE', 'ConsentRequired')] }), { person: true, nextS: 24 * HOUR }],
    ['that needs more rights', oauth({ refreshAt: at(-5) }, { conditions: [is('Authorized', 'FALSE', 'InsufficientScope')] }), { refresh: true, nextS: 30 }],
  ])('%s', (_name, facts, { person = false, refresh = false, trial = false, nextS }) => {
    expect({ person: aPersonMustAct(facts), refresh: loginIsDue(facts), trial: trialIsDue(facts), nextS: nextLookMs(facts, 0) / 1000 }).toEqual({ person, refresh, trial, nextS });
  });

  it('is looked at within a day whatever is known, and never in a tight loop', () => {
    for (const seconds of [-100_000, -1, 0, 1, 100_000_000]) {
      const ms = nextLookMs(oauth({ refreshAt: at(seconds) }), 1);
      expect(ms).toBeGreaterThanOrEqual(1000);
      expect(ms).toBeLessThanOrEqual(DAY_MS);
    }
    expect(refreshTime(fixed({}))).toBeNull();
  });
});

describe('a server', () => {
  it.each([[0, 60], [1, 5], [2, 10], [3, 60], [4, 120], [6, 240], [7, 300], [1000, 300]])('after %i failures in a row is looked at after %i seconds', (failures, seconds) => {
    expect(nextLookAtServer(60_000, failures, 0)).toBe(seconds * 1000);
  });

  it('has its interval shortened by a tenth at the most', () => {
    expect(nextLookAtServer(60_000, 0, 1)).toBe(54_000);
  });

  it.each([['sooner than by itself', 0, 20, 60], ['later', 1, 100, 100], ['after a week', 3, 7 * 24 * HOUR, HOUR]])('is left alone for as long as it asks for, within an hour: %s', (_name, failures, askedS, seconds) => {
    expect(nextLookAtServer(60_000, failures, 0, askedS * 1000)).toBe(seconds * 1000);
  });

  const SETTLED = [is('Discovered', 'TRUE', 'Read'), is('Registered', 'TRUE', 'Registered')];
  it.each([
    ['settled', SETTLED, at(-60), false, false], ['read long ago', SETTLED, at(-15 * 60), false, true], ['never read', SETTLED, null, false, true],
    ['not registered', [SETTLED[0]!], at(-60), false, true], ['a secret that ends', SETTLED, at(-60), true, true],
  ])('has its OAuth looked at: %s', (_name, conditions, discoveredAt, clientWantsCare, due) => {
    expect(discoveryIsDue({ method: 'OAUTH', conditions, discoveredAt, clientWantsCare, now })).toBe(due);
    expect(discoveryIsDue({ method: 'NONE', conditions, discoveredAt, clientWantsCare, now })).toBe(false);
  });
});

it.each([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 2], [5, 1, 32], [50, 1, 900], [50, 0, 450]])('after %i failures before, with the lot %f, a run waits %i seconds', (failures, lot, seconds) => {
  expect(backOffMs(failures, lot)).toBe(seconds * 1000);
});

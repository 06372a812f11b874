import { OAuthFault, type OAuthFaultCode } from '#core/oauth/fault.js';
import { decideRefresh, usableUntil, type RefreshDecision, type RefreshFacts, type RefreshIntent } from '#core/upkeep/oauth-tokens-decision.js';
import { lifeOf } from '#core/upkeep/oauth-tokens-life.js';
import { failedOutcome } from '#core/upkeep/oauth-tokens-outcome.js';

const NOW = new Date('2026-11-22T12:00:00Z');
const at = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000);

const GRANT: RefreshFacts['grant'] = {
  attemptId: null, attemptUntil: null, obtainedAt: at(-1800), expiresAt: at(1800), refreshAt: at(600), nextAttemptAt: null, outcomeUnknownAt: null, refreshable: true,
};
const DEAD = { expiresAt: at(-1) };
const RUNNING = { attemptId: 'a', attemptUntil: at(10) };
const LOST = { attemptId: 'a', attemptUntil: at(-1) };

describe('what to do with a login', () => {
  it.each<[string, RefreshIntent, Partial<RefreshFacts['grant']>, RefreshDecision]>([
    ['one that lives is used', 'USE', {}, 'USE'],
    ['one that lives is used while another renews it', 'USE', RUNNING, 'USE'],
    ['one that lives is used although the provider is down', 'USE', { nextAttemptAt: at(60) }, 'USE'],
    ['one that lives is used after an answer was lost', 'USE', { outcomeUnknownAt: at(-60) }, 'USE'],
    ['an expired one is renewed', 'USE', DEAD, 'PRESENT'],
    ['an expired one is waited for while another renews it', 'USE', { ...DEAD, ...RUNNING }, 'WAIT'],
    ['an attempt whose lease is over is lost, even while the login lives', 'USE', LOST, 'LOST'],
    ['an expired one is renewed once more after an answer was lost', 'USE', { ...DEAD, outcomeUnknownAt: at(-60) }, 'PRESENT'],
    ['an expired one backs off after a failure', 'USE', { ...DEAD, nextAttemptAt: at(3) }, 'BACK_OFF'],
    ['an expired one that can\'t be renewed needs consent', 'USE', { ...DEAD, refreshable: false }, 'CONSENT'],
    ['one without an expiry is used', 'USE', { expiresAt: null }, 'USE'],
    ['one that is refused is renewed, whatever its expiry', 'REFUSED', {}, 'PRESENT'],
    ['one without an expiry that is refused is renewed', 'REFUSED', { expiresAt: null }, 'PRESENT'],
    ['one that is refused and can\'t be renewed needs consent', 'REFUSED', { refreshable: false }, 'CONSENT'],
    ['one that is not due is left alone', 'DUE', {}, 'USE'],
    ['one that is due is renewed', 'DUE', { refreshAt: at(-1) }, 'PRESENT'],
    ['one that is due backs off after a failure, and is used', 'DUE', { refreshAt: at(-1), nextAttemptAt: at(3) }, 'USE'],
    ['one that is due is left alone after an answer was lost, while it lives', 'DUE', { refreshAt: at(-1), outcomeUnknownAt: at(-60) }, 'USE'],
    ['one that a person wants renewed is renewed', 'ROTATE', { nextAttemptAt: at(60) }, 'PRESENT'],
    ['one that a person wants renewed waits for the attempt that is under way', 'ROTATE', RUNNING, 'WAIT'],
    ['one that a person wants renewed is left alone after an answer was lost, while it lives', 'ROTATE', { outcomeUnknownAt: at(-60) }, 'USE'],
  ])('%s', (_name, intent, grant, decision) => {
    expect(decideRefresh({ grant: { ...GRANT, ...grant }, now: NOW, intent })).toBe(decision);
  });

  it('a token isn\'t sent when it would expire on its way: ten seconds before, or a tenth of a short life, and never in its last second, of which issuers may know nothing', () => {
    expect(usableUntil({ obtainedAt: NOW, expiresAt: at(3600) })).toEqual(at(3590));
    expect(usableUntil({ obtainedAt: NOW, expiresAt: at(50) })).toEqual(at(45));
    expect(usableUntil({ obtainedAt: NOW, expiresAt: at(5) })).toEqual(at(4));
    expect(usableUntil({ obtainedAt: NOW, expiresAt: at(1) })).toEqual(at(0.5));
    expect(usableUntil({ obtainedAt: NOW, expiresAt: null })).toBeNull();
  });
});

describe('what a failed presentation means', () => {
  const judge = (code: OAuthFaultCode, alive: boolean, outcomeUnknownAt: Date | null = null) =>
    failedOutcome({ fault: new OAuthFault(code, 'The provider said no.'), grant: { failedRefreshes: 2, outcomeUnknownAt }, alive, now: NOW, jitter: 0 });

  it.each<[OAuthFaultCode, boolean, { refreshable?: boolean; again: boolean; authorized: string | undefined; fresh: string }]>([
    ['INVALID_GRANT', true, { refreshable: false, again: false, authorized: 'ConsentRequired', fresh: 'ConsentRequired' }],
    ['INVALID_ANSWER', true, { refreshable: false, again: false, authorized: undefined, fresh: 'NotRefreshable' }],
    ['INVALID_ANSWER', false, { refreshable: false, again: false, authorized: 'ConsentRequired', fresh: 'ConsentRequired' }],
    ['OUTCOME_UNKNOWN', true, { again: true, authorized: undefined, fresh: 'RefreshOutcomeUnknown' }],
    ['INVALID_CLIENT', true, { again: true, authorized: 'ClientRefused', fresh: 'ClientRefused' }],
    ['REFUSED', true, { again: true, authorized: undefined, fresh: 'RefreshFailed' }],
    ['REFUSED', false, { again: true, authorized: 'ConsentRequired', fresh: 'ConsentRequired' }],
    ['TEMPORARY', false, { again: true, authorized: undefined, fresh: 'RefreshFailed' }],
    ['REFUSED_BY_POLICY', true, { again: true, authorized: undefined, fresh: 'RefreshFailed' }],
  ])('%s, access token alive: %s', (code, alive, expected) => {
    const { values, observations } = judge(code, alive);
    expect(values).toMatchObject({ failedRefreshes: 3, attemptId: null });
    expect(values.refreshable).toBe(expected.refreshable);
    expect(values.nextAttemptAt ?? null).toEqual(expected.again ? at(20) : null);
    expect(observations.find(({ type }) => type === 'Authorized')?.reason).toBe(expected.authorized);
    expect(observations.find(({ type }) => type === 'Fresh')?.reason).toBe(expected.fresh);
  });

  it('a second lost answer needs consent', () => {
    expect(judge('OUTCOME_UNKNOWN', true, at(-60))).toMatchObject({ values: { refreshable: false }, observations: [{ type: 'Authorized', reason: 'ConsentRequired' }, {}, {}, {}] });
  });
});

it('new tokens begin a new life', () => {
  const tokens = { accessToken: 'a', refreshToken: null, tokenType: 'Bearer' as const, scopes: ['x'], obtainedAt: NOW, expiresAt: at(3600) };
  expect(lifeOf(tokens, 0)).toMatchObject({ refreshable: false, refreshAt: null, outcomeUnknownAt: null, failedRefreshes: 0 });
  expect(lifeOf({ ...tokens, refreshToken: 'r' }, 0)).toMatchObject({ refreshable: true, refreshAt: at(2400) });
});

import fc from 'fast-check';
import { refreshBackoff, refreshPlan, secretRenewalPlan } from '#core/oauth/refresh-plan.js';

const at = (seconds: number) => new Date(seconds * 1000);
const plan = (lifetime: number, jitter = 0, lastAttempt: number | null = null) =>
  refreshPlan({ obtainedAt: at(0), expiresAt: at(lifetime), lastAttempt: lastAttempt === null ? null : at(lastAttempt), jitter })!.getTime() / 1000;

it.each([
  [3_600, 2_400], [300, 200], [180, 120], [150, 90], [120, 60], [60, 30], [20, 10], [10, 5], [5, 5], [1, 5], [0, 5],
])('a token that lives %d s is refreshed after %d s', (lifetime, expected) => expect(plan(lifetime)).toBe(expected));

it('jitter makes it earlier by at most a tenth of the lifetime', () => expect(plan(3_600, 1)).toBe(2_040));

it('the last attempt keeps the next one off for five seconds', () => expect(plan(3_600, 0, 2_399)).toBe(2_404));

it('a token that doesn\'t say when it expires is refreshed on demand', () => {
  expect(refreshPlan({ obtainedAt: at(0), expiresAt: null, lastAttempt: null, jitter: 0 })).toBeNull();
});

it('a plan is never in the last tenth of a life that is long enough, and never within five seconds', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 10_000_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (lifetime, jitter) => {
    const seconds = plan(lifetime, jitter);
    expect(seconds).toBeGreaterThanOrEqual(5);
    if (lifetime >= 20) expect(seconds).toBeLessThanOrEqual(lifetime * 2 / 3 + 1e-3);
  }));
});

it.each([[1, null, 5], [2, null, 10], [4, null, 40], [50, null, 300], [1, 60_000, 60], [9, 7_000, 300], [1, 86_400_000, 3_600]])('the %dth failure, with Retry-After %s, waits %d s', (failures, retryAfter, seconds) => {
  expect(refreshBackoff(at(0), failures, retryAfter, 0)).toEqual(at(seconds));
});

it('a client secret is renewed a third of its life before its end, a week at most, and an hour after the last attempt at least', () => {
  const day = 86_400;
  expect(secretRenewalPlan(at(30 * day), at(0), null)).toEqual(at(23 * day));
  expect(secretRenewalPlan(at(3 * day), at(0), null)).toEqual(at(2 * day));
  expect(secretRenewalPlan(at(3 * day), at(0), at(2 * day))).toEqual(at(2 * day + 3_600));
  expect(secretRenewalPlan(null, at(0), null)).toBeNull();
});

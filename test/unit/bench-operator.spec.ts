import { between, bucketsOf, quantileOf, total } from '#test/bench/operator/histogram.js';
import { planOf } from '#test/bench/operator/plan.js';
import { verdictsOn } from '#test/bench/operator/report.js';

const page = (counts: number[]) => ['0.5', '1', '2', '+Inf'].map((bound, index) => `queue_bucket{le="${bound}",name="ConnectionType"} ${counts[index]}`).join('\n') + '\nqueue_bucket{le="0.5",name="Enrollment"} 7';

test('A quantile of a histogram is told as Prometheus tells it, of what came between two readings', () => {
  const buckets = between(bucketsOf(page([10, 10, 10, 10]), 'queue', 'name="ConnectionType"'), bucketsOf(page([60, 110, 110, 110]), 'queue', 'name="ConnectionType"'));
  expect(total(buckets)).toBe(100);
  expect(quantileOf(buckets, 0.5)).toBe(0.5);
  expect(quantileOf(buckets, 0.75)).toBe(0.75);
  expect(quantileOf(between(buckets, buckets), 0.5)).toBeNaN();
  expect(quantileOf(bucketsOf(page([0, 0, 0, 5]), 'queue', 'name="ConnectionType"'), 0.99)).toBe(2);
});

test('Each target has its verdict', () => {
  const stretch = { seconds: 10, checks: 2900, lagP99: 2.5, cpuMicros: 1, cpuShare: 1, requests: 1, commits: 1 };
  const checks = { types: 1, steady: stretch, saturated: stretch, residentMiB: 299, profile: null, wrongs: [] };
  const refreshes = { enrollments: 1, refreshes: 1, calls: 1, callMs: { median: 1, p99: 1 }, expired: 1, residentMiB: 1, cpuMicros: 1, wrongs: [] };
  expect(verdictsOn(checks, refreshes).map(({ what, met }) => [what, met])).toEqual([
    ['checks a second', false], ['lag p99 at the interval', false], ['memory of an operator', true], ['logins that had expired when used', false],
  ]);
  expect(verdictsOn(null, null)).toEqual([]);
});

test('The flags choose what is measured; unknown ones are refused', () => {
  expect(planOf([])).toMatchObject({ types: 10_000, intervalSeconds: 60, measureMs: 300_000, enrollments: 2000, tokenSeconds: 120, callsPerSecond: 20 });
  expect(planOf(['--quick', '--checks'])).toMatchObject({ enrollments: 0, profile: false });
  expect(planOf(['--smoke', '--refreshes', '--profile'])).toMatchObject({ types: 0, profile: true });
  expect(() => planOf(['--often'])).toThrow(/--often isn't known[^]*--quick/);
});

import { planOf } from '#test/bench/kubernetes/plan.js';
import { rushText, verdictsOn } from '#test/bench/kubernetes/report.js';
import { spentBy } from '#test/bench/kubernetes/requests.js';
import type { LoggedRequest } from '#test/support/control-plane/request-log.js';

const request = (verb: string, resource: string, name: string, rest: Partial<LoggedRequest> = {}): LoggedRequest => ({
  user: 'system:serviceaccount:fairlead:fairlead-operator', verb, group: resource === 'secrets' || resource === 'namespaces' ? '' : 'fairlead.dev', resource, subresource: '', namespace: 'bench', name, status: 200, forbidden: false, uri: '', userAgent: '', ...rest,
});
const LOG = [
  request('patch', 'enrollments', 'a'), request('get', 'secrets', 'a'), request('patch', 'enrollments', 'a', { subresource: 'status' }), request('patch', 'enrollments', 'a', { subresource: 'status', status: 409 }),
  request('patch', 'connectiontypes', 'a'), request('patch', 'connectiontypes', 'a', { user: 'admin' }), request('list', 'enrollments', ''), request('watch', 'enrollments', ''),
  request('update', 'leases', 'fairlead-mirror', { group: 'coordination.k8s.io' }), request('create', 'events', '', { group: 'events.k8s.io' }),
];

test('What the operator asked is counted by object, with its Secret; watches, lists, leases and what others asked are not', () => {
  const spent = spentBy(LOG);
  expect(Object.fromEntries(spent.byObject)).toEqual({ 'enrollments/a': 4, 'connectiontypes/a': 1 });
  expect(spent).toMatchObject({ total: 6, secretReads: 1, failed: 1, writes: 5 });
  expect(spent.byKind[0]).toEqual(['patch enrollments/status', 2]);
});

test('Each target has its verdict; the worst object counts, and so does the later of both doors', () => {
  const nothing = spentBy([]);
  const result = {
    pairs: 1, appliedAfter: 1, readyByKubectlAfter: 119, readyByGraphqlAfter: 121, toReady: spentBy([...LOG, ...LOG]), steady: spentBy(LOG.slice(1, 2)), steadySeconds: 1, restart: nothing, restartSeconds: 1,
    cpuSeconds: 1, peakMiB: 250, profile: null, wrongs: [],
  };
  expect(verdictsOn(result).map(({ what, value, met }) => [what, value, met])).toEqual([
    ['until all are Ready', '121.0 s', false], ['requests for an object, at the most', '8', false], ['requests in peace, but for Secrets', '0', true], ['memory of the operator', '250 MiB', false],
  ]);
  expect(verdictsOn({ ...result, readyByGraphqlAfter: 1, toReady: spentBy(LOG), steady: spentBy(LOG), peakMiB: 249 }).map(({ met }) => met)).toEqual([true, true, false, true]);
  expect(rushText(result)).toContain('connectiontypes 2 at the median and 2 at the most, enrollments 8 at the median and 8 at the most');
});

test('The flags say how much; unknown ones are refused', () => {
  expect(planOf([])).toEqual({ pairs: 1000, steadySeconds: 90, profile: false });
  expect(planOf(['--pairs', '5', '--steady', '330', '--profile'])).toEqual({ pairs: 5, steadySeconds: 330, profile: true });
  expect(() => planOf(['--pairs', 'many'])).toThrow(/--pairs wants a number[^]*--smoke/);
  expect(() => planOf(['--often'])).toThrow(/--often isn't known[^]*--smoke/);
});

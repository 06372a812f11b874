import type { TimeSpent } from '../cpu-profile.js';
import { tableText, type Verdict } from '../report.js';
import type { ChecksResult, Stretch } from './checks.js';
import type { RefreshesResult } from './refreshes.js';

/** What is asked for (issue 4, point 10). */
export const TARGETS = { checksPerSecond: 300, lagSeconds: 2, memoryMiB: 300 } as const;

/** Figures of health checks. */
export function checksText({ types, steady, saturated, residentMiB }: ChecksResult): string {
  const row = (name: string, one: Stretch): string[] => [
    name, (one.checks / one.seconds).toFixed(0), `${one.lagP99.toFixed(2)} s`, `${(one.cpuMicros / 1000).toFixed(2)} ms`, `${(one.cpuShare * 100).toFixed(0)} %`, one.requests.toFixed(2), one.commits.toFixed(2),
  ];
  return tableText([
    [`${types} connection types`, 'checks/s', 'lag p99', 'CPU a check', 'of a core', 'requests a check', 'commits a check'],
    row('  at their interval', steady),
    row('  all due at once', saturated),
  ]) + `Memory of the operator: ${residentMiB.toFixed(0)} MiB at the most.\n`;
}

/** Figures of refreshes. */
export function refreshesText({ enrollments, refreshes, calls, callMs, expired, residentMiB, cpuMicros }: RefreshesResult): string {
  return `${enrollments} logins: ${refreshes} refreshes by two operators (${(cpuMicros / 1000).toFixed(1)} ms of CPU each), ${calls} calls (median ${callMs.median.toFixed(1)} ms, p99 ${callMs.p99.toFixed(1)} ms), ${expired} expired when used; `
    + `memory of an operator: ${residentMiB.toFixed(0)} MiB.\n`;
}

/** The verdicts; on memory where there was so much that the target says something. */
export function verdictsOn(checks: ChecksResult | null, refreshes: RefreshesResult | null): Verdict[] {
  const verdicts: Verdict[] = [];
  if (checks !== null) {
    const perSecond = checks.saturated.checks / checks.saturated.seconds;
    verdicts.push(
      { what: 'checks a second', value: perSecond.toFixed(0), target: `at least ${TARGETS.checksPerSecond}`, met: perSecond >= TARGETS.checksPerSecond },
      { what: 'lag p99 at the interval', value: `${checks.steady.lagP99.toFixed(2)} s`, target: `under ${TARGETS.lagSeconds} s`, met: checks.steady.lagP99 < TARGETS.lagSeconds },
      { what: 'memory of an operator', value: `${checks.residentMiB.toFixed(0)} MiB`, target: `under ${TARGETS.memoryMiB} MiB`, met: checks.residentMiB < TARGETS.memoryMiB },
    );
  }
  if (refreshes !== null) verdicts.push({ what: 'logins that had expired when used', value: String(refreshes.expired), target: 'none', met: refreshes.expired === 0 });
  return verdicts;
}

/** Where the operator's time goes while everything is due. */
export function profileText({ saturated, profile }: ChecksResult): string {
  if (profile === null) return '';
  const perCheck = (share: number): string[] => [`${(share * 100).toFixed(1)} %`, `${(share * saturated.seconds * 1e6 / saturated.checks).toFixed(0)} µs`];
  const { parts, functions }: TimeSpent = profile;
  return tableText([
    ['The operator, under the profiler', 'share', 'a check'],
    ...parts.filter(([, share]) => share >= 0.005).map(([name, share]) => [`  ${name}`, ...perCheck(share)]),
    ['Functions by their own time', '', ''],
    ...functions.map(([name, share]) => [`  ${name}`, ...perCheck(share)]),
  ]);
}

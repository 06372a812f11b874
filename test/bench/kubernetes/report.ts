import type { TimeSpent } from '../cpu-profile.js';
import { tableText, type Verdict } from '../report.js';
import { quantile } from '../statistics.js';
import type { Spent } from './requests.js';
import type { RushResult } from './rush.js';

/** What is asked for (issue 5, point 7). */
export const TARGETS = { readySeconds: 120, requestsPerObject: 6, memoryMiB: 250 } as const;

/** Figures until everything was Ready, in peace, and after a restart. */
export function rushText({ pairs, appliedAfter, readyByKubectlAfter, readyByGraphqlAfter, toReady, steady, steadySeconds, restart, restartSeconds, cpuSeconds, peakMiB }: RushResult): string {
  const objects = 2 * pairs;
  const row = (name: string, { total, byKind, secretReads, failed }: Spent): string[] => [name, String(total - secretReads), String(secretReads), String(failed), byKind.map(([kind, count]) => `${count} ${kind}`).join(', ')];
  return `${pairs} ConnectionTypes and ${pairs} Enrollments: applied after ${appliedAfter.toFixed(1)} s, Ready by kubectl get after ${readyByKubectlAfter.toFixed(1)} s and by GraphQL after ${readyByGraphqlAfter.toFixed(1)} s; `
    + `${(cpuSeconds * 1000 / objects).toFixed(1)} ms of the operator's CPU for each, memory ${peakMiB.toFixed(0)} MiB at the most.\n\n`
    + tableText([
      ['Requests of the operator', 'all but', 'reads of Secrets', 'failed', ''],
      row('  until Ready', toReady),
      row(`  in peace, ${steadySeconds} s`, steady),
      row(`  started anew, ${restartSeconds.toFixed(1)} s`, restart),
    ])
    + `For an object until Ready: ${(toReady.total / objects).toFixed(2)} on average, ${spread(toReady)}.\n`;
}

/** The verdicts. The worst object counts, with its reads of Secrets; so many objects that the targets say something. */
export function verdictsOn(result: RushResult): Verdict[] {
  const { toReady, steady, peakMiB } = result;
  const seconds = Math.max(result.readyByKubectlAfter, result.readyByGraphqlAfter);
  const most = Math.max(0, ...toReady.byObject.values());
  const inPeace = steady.total - steady.secretReads;
  return [
    { what: 'until all are Ready', value: `${seconds.toFixed(1)} s`, target: `at most ${TARGETS.readySeconds} s`, met: seconds <= TARGETS.readySeconds },
    { what: 'requests for an object, at the most', value: String(most), target: `at most ${TARGETS.requestsPerObject}`, met: most <= TARGETS.requestsPerObject },
    { what: 'requests in peace, but for Secrets', value: String(inPeace), target: 'none', met: inPeace === 0 },
    { what: 'memory of the operator', value: `${peakMiB.toFixed(0)} MiB`, target: `under ${TARGETS.memoryMiB} MiB`, met: peakMiB < TARGETS.memoryMiB },
  ];
}

/** Where the operator's time goes until everything is Ready. */
export function profileText(profile: TimeSpent | null): string {
  if (profile === null) return '';
  const rows = (entries: readonly [string, number][]): string[][] => entries.map(([name, share]) => [`  ${name}`, `${(share * 100).toFixed(1)} %`]);
  return tableText([['The operator until Ready, under the profiler', 'share'], ...rows(profile.parts.filter(([, share]) => share >= 0.005)), ['Functions by their own time', ''], ...rows(profile.functions)]);
}

function spread({ byObject }: Spent): string {
  const of = (resource: string): string => {
    const counts = [...byObject].filter(([key]) => key.startsWith(`${resource}/`)).map(([, count]) => count).toSorted((one, other) => one - other);
    return `${resource} ${quantile(counts, 0.5)} at the median and ${counts.at(-1) ?? 0} at the most`;
  };
  return `${of('connectiontypes')}, ${of('enrollments')}`;
}

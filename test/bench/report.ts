import { cpus, totalmem } from 'node:os';
import type { Comparisons, Memory, Profile, Way } from './bench.js';
import type { PageResult } from './page.js';
import { compare, median, medianLeg, type Leg } from './statistics.js';

/** What is asked for (issue 2, point 11), and what comes after it (issue 6, points 5 and 7). */
export const TARGETS = { latency: 2.5, throughput: 0.5, memoryMB: 150, pageMs: 25 } as const;
export const STRETCH = { latency: 1.75, keyedLatency: 2.5, throughput: 0.8, p99: 3, large: 2.5 } as const;
/** In megabytes. */
const MIB = 1.048576;

const NAMES: Record<Way, string> = { direct: 'the SDK\'s client, directly', through: 'callTool', keyed: 'callTool with an idempotency key' };

/** One figure with its target. */
export interface Verdict {
  what: string;
  value: string;
  target: string;
  met: boolean;
}

/** The verdicts: at each number of callers, and on memory where so many sessions were open that the target says something. */
export function verdictsOn(comparisons: readonly Comparisons[], memory: Memory): Verdict[] {
  const verdicts = comparisons.flatMap(({ callers, turns }): Verdict[] => {
    const { latency, throughput } = compare(turns.through, turns.direct);
    return [
      { what: `median, ${callersText(callers)}`, value: times(latency), target: `at most ${times(TARGETS.latency)} direct`, met: latency <= TARGETS.latency },
      { what: `throughput, ${callersText(callers)}`, value: times(throughput), target: `at least ${times(TARGETS.throughput)} direct`, met: throughput >= TARGETS.throughput },
    ];
  });
  if (memory.sessions < 1000) return verdicts;
  return [...verdicts, { what: `memory, ${memory.sessions} warm sessions`, value: megabytes(memory.withSessions), target: `under ${TARGETS.memoryMB} MB`, met: memory.withSessions * MIB < TARGETS.memoryMB }];
}

/** The verdicts on what comes after that: one caller's latency, many callers' throughput, and how far the slowest of theirs are from the median. */
export function stretchVerdictsOn(comparisons: readonly Comparisons[]): Verdict[] {
  return comparisons.flatMap(({ callers, turns }): Verdict[] => {
    const through = compare(turns.through, turns.direct);
    if (callers === 1) {
      const keyed = compare(turns.keyed, turns.direct);
      return [
        { what: 'median, 1 caller', value: times(through.latency), target: `at most ${times(STRETCH.latency)} direct`, met: through.latency <= STRETCH.latency },
        { what: 'median with a key, 1 caller', value: times(keyed.latency), target: `at most ${times(STRETCH.keyedLatency)} direct`, met: keyed.latency <= STRETCH.keyedLatency },
      ];
    }
    const spread = median(turns.through.map((leg) => leg.p99 / leg.median));
    return [
      { what: `throughput, ${callersText(callers)}`, value: times(through.throughput), target: `at least ${times(STRETCH.throughput)} direct`, met: through.throughput >= STRETCH.throughput },
      { what: `p99, ${callersText(callers)}`, value: times(spread), target: `at most ${times(STRETCH.p99)} the median`, met: spread <= STRETCH.p99 },
    ];
  });
}

/** What results of a mebibyte take. */
export function largeText(turns: Record<'direct' | 'through', Leg[]>): string {
  const [direct, through] = [medianLeg(turns.direct), medianLeg(turns.through)];
  const { latency, latencyRange } = compare(turns.through, turns.direct);
  return `Results of a mebibyte, 1 caller: directly ${two(direct.median)} ms, callTool ${two(through.median)} ms (CPU a call ${(through.cpuMicros / 1000).toFixed(1)} ms), ${times(latency)} direct (${latencyRange.map(two).join('–')}).`;
}

/** The verdict on them. */
export function largeVerdict(turns: Record<'direct' | 'through', Leg[]>): Verdict {
  const { latency } = compare(turns.through, turns.direct);
  return { what: 'median, results of a mebibyte', value: times(latency), target: `at most ${times(STRETCH.large)} direct`, met: latency <= STRETCH.large };
}

/** The verdict on a catalog page, where the catalog was large enough that the target says something. */
export function pageVerdict({ plan, medianMs }: PageResult): Verdict[] {
  return plan.types < 5000 ? [] : [{ what: `a page of ${plan.first} of ${plan.types} types`, value: `${two(medianMs)} ms`, target: `under ${TARGETS.pageMs} ms`, met: medianMs < TARGETS.pageMs }];
}

/** What a catalog page took, and where its time went. */
export function pageText({ plan, medianMs, p99Ms, kilobytes, shares }: PageResult): string {
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  return `A catalog page: ${plan.first} of ${plan.types} types, each with ${plan.toolsOfType} tools and ${plan.enrollmentsOfType} enrollments, ${kilobytes.toFixed(0)} kB: median ${two(medianMs)} ms, p99 ${two(p99Ms)} ms`
    + ` (under the profiler: SQL ${percent(shares.sql)}, resolvers ${percent(shares.resolvers)}, JSON and sending ${percent(shares.serialisation)}, garbage and the rest ${percent(shares.rest)}).`;
}

/** Which machine, and which Node. */
export function machineText(): string {
  return `Node ${process.versions.node} on ${process.platform}-${process.arch}, ${cpus().length} × ${cpus()[0]?.model.trim() || 'unknown processor'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
}

/** The table of figures: medians of the rounds, and the medians of the ratios within each round. */
export function comparisonText(comparisons: readonly Comparisons[]): string {
  const rows = comparisons.flatMap(({ callers, turns }) => [
    [callersText(callers), 'median', 'p99', 'calls/s', 'CPU a call', 'median, times direct', 'throughput, times direct'],
    ...(['direct', 'through', 'keyed'] as const).map((way) => {
      const leg = medianLeg(turns[way]);
      const { latency, latencyRange, throughput, throughputRange } = compare(turns[way], turns.direct);
      const ratios = way === 'direct' ? ['', ''] : [`${times(latency)} (${latencyRange.map(two).join('–')})`, `${times(throughput)} (${throughputRange.map(two).join('–')})`];
      return [`  ${NAMES[way]}`, `${two(leg.median)} ms`, `${two(leg.p99)} ms`, leg.perSecond.toFixed(0), Number.isNaN(leg.cpuMicros) ? '' : `${leg.cpuMicros.toFixed(0)} µs`, ...ratios];
    }),
  ]);
  return tableText(rows);
}

/** Memory, and what the first call of each session took. */
export function memoryText({ afterRounds, started, withSessions, sessions, coldMs }: Memory): string {
  return `Memory of the API process: ${megabytes(started)} when started, ${megabytes(withSessions)} with ${sessions} warm sessions, ${megabytes(afterRounds)} after all the rounds.\n`
    + `The first call of a session, which opens it (4 callers): median ${two(coldMs.median)} ms, p99 ${two(coldMs.p99)} ms.`;
}

/** Both, since they are easily taken for one another: the target is in megabytes, of a million bytes. */
function megabytes(mebibytes: number): string {
  return `${(mebibytes * MIB).toFixed(0)} MB (${mebibytes.toFixed(0)} MiB)`;
}

/** The verdicts, one a line. */
export function verdictText(verdicts: readonly Verdict[]): string {
  return tableText(verdicts.map(({ what, value, target, met }) => [met ? 'MET' : 'MISSED', what, value, target]));
}

/** Where the time goes. */
export function profileText(profile: Profile): string {
  return profile.map(({ callers, spent, calls, seconds }) => {
    const perCall = (share: number): string[] => [`${(share * 100).toFixed(1)} %`, `${(share * seconds * 1e6 / calls).toFixed(0)} µs`];
    const rows = [
      [`The API process, ${callersText(callers)}, under the profiler`, 'share', 'a call'],
      ...spent.parts.filter(([, share]) => share >= 0.005).map(([name, share]) => [`  ${name}`, ...perCall(share)]),
      ['Functions by their own time', '', ''],
      ...spent.functions.map(([name, share]) => [`  ${name}`, ...perCall(share)]),
    ];
    return tableText(rows);
  }).join('\n');
}

function callersText(callers: number): string {
  return `${callers} caller${callers === 1 ? '' : 's'}`;
}

/** A ratio, as it is printed. */
export function times(ratio: number): string {
  return `${two(ratio)}×`;
}

/** With two digits after the point. */
export function two(value: number): string {
  return value.toFixed(2);
}

/** Columns as wide as what is in them; the first is flush left, others right where they are numbers. */
export function tableText(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => (/^\d/.test(cell) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join('  ').trimEnd()).join('\n') + '\n';
}

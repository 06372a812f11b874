/** The value below which this share (0 to 1) of the sorted values lies; NaN of none. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The middle value; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How one leg of a round went: milliseconds, and calls a second. */
export interface Leg {
  median: number;
  p99: number;
  perSecond: number;
  /** Processor time for each call, in microseconds: of the SDK's client, or of the API. */
  cpuMicros: number;
}

/** Two legs of the same rounds, compared round by round. */
export interface Comparison {
  /** How many times the latency of the other. */
  latency: number;
  /** Which part of the other's throughput. */
  throughput: number;
  /** The smallest and the largest ratio of a round. */
  latencyRange: [number, number];
  throughputRange: [number, number];
}

/** The median leg: each figure is the median of the rounds. */
export function medianLeg(legs: readonly Leg[]): Leg {
  const of = (figure: keyof Leg): number => median(legs.map((leg) => leg[figure]));
  return { median: of('median'), p99: of('p99'), perSecond: of('perSecond'), cpuMicros: of('cpuMicros') };
}

/**
 * Medians of the ratios within each round. What happens on the machine meanwhile is the same for both legs of a round, so ratios are
 * steadier than figures.
 */
export function compare(through: readonly Leg[], direct: readonly Leg[]): Comparison {
  const latencies = through.map((leg, round) => leg.median / direct[round]!.median);
  const throughputs = through.map((leg, round) => leg.perSecond / direct[round]!.perSecond);
  return {
    latency: median(latencies), throughput: median(throughputs),
    latencyRange: [Math.min(...latencies), Math.max(...latencies)], throughputRange: [Math.min(...throughputs), Math.max(...throughputs)],
  };
}

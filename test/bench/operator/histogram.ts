/** Cumulative counts of a Prometheus histogram by upper bound, in order; the last bound is infinite. */
export type Buckets = ReadonlyMap<number, number>;

/** One histogram of a metrics page; of the series with this label. */
export function bucketsOf(page: string, name: string, label: string): Buckets {
  const buckets = new Map<number, number>();
  for (const line of page.split('\n')) {
    if (!line.startsWith(`${name}_bucket{`) || !line.includes(label)) continue;
    const bound = /le="([^"]+)"/.exec(line)![1]!;
    buckets.set(bound === '+Inf' ? Infinity : Number(bound), Number(line.slice(line.lastIndexOf(' '))));
  }
  return buckets;
}

/** What came between two readings. */
export function between(before: Buckets, after: Buckets): Buckets {
  return new Map([...after].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)]));
}

export function total(buckets: Buckets): number {
  return Math.max(0, ...buckets.values());
}

/** The value below which this share lies, as Prometheus tells it: within a bucket, evenly spread. https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile */
export function quantileOf(buckets: Buckets, share: number): number {
  const rank = total(buckets) * share;
  let [low, below] = [0, 0];
  for (const [bound, count] of [...buckets].toSorted(([one], [other]) => one - other)) {
    if (count >= rank && count > below) return bound === Infinity ? low : low + (bound - low) * ((rank - below) / (count - below));
    [low, below] = [bound, count];
  }
  return Number.NaN;
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;


/** Milliseconds of a span as manifests write it, one number with its unit (`60s`, `1500ms`, `5m`, `1h`); null for what isn't one. */
export function durationMs(text: string): number | null {
  const [, count, unit] = /^([1-9]\d{0,8})(ms|s|m|h)$/.exec(text) ?? [];
  return count === undefined ? null : Number(count) * UNITS[unit as keyof typeof UNITS];
}

/** A span as it is written: in seconds where they are whole. */
export function durationText(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

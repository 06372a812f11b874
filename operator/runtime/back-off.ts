const FLOOR_MS = 1000;
const CAP_MS = 15 * 60_000;

/**
 * How long to wait after so many failures in a row: doubled each time, with the upper half drawn by lot, so that what failed together isn't tried again together.
 * @param random from 0 to 1
 * @returns milliseconds from 1,000 to 900,000
 */
export function backOffMs(failures: number, random: number): number {
  const full = Math.min(CAP_MS, FLOOR_MS * 2 ** Math.min(failures, 30));
  return Math.max(FLOOR_MS, full / 2 + (full / 2) * random);
}

/**
 * An interval as it is waited for: shortened by up to a tenth, so that what began together spreads out.
 * @param random from 0 to 1
 */
export function jittered(intervalMs: number, random: number): number {
  return intervalMs * (1 - random / 10);
}

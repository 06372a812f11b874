/** How long and how much is called. */
export interface Bounds {
  /** Calls that are under way at the same time. */
  callers: number;
  /** Not measured: connections are opened and code gets warm. */
  warmUpMs: number;
  ms: number;
  /** At most so many calls, with those of the warm-up. */
  maxCalls: number;
}

/** What a run of calls gave. */
export interface Run {
  /** All calls that were answered, with those of the warm-up. */
  calls: number;
  /** Of the measured calls, in milliseconds, sorted. */
  latencies: Float64Array;
  /** Measured calls a second. */
  perSecond: number;
  /** Processor time of this process for each call, in microseconds; the warm-up included. */
  cpuMicros: number;
  /** What was wrong with answers; the first few of them in words. */
  faults: { count: number; examples: string[] };
  /** When measuring began and ended, in microseconds of the machine's monotonic clock. */
  window: { from: number; to: number };
}

const EXAMPLES = 5;

/**
 * Calls in a closed loop: each caller makes its next call when its last one was answered.
 * `call` gets the number of the call, and says what was wrong with the answer, or null.
 */
export async function runCallers(bounds: Bounds, call: (sequence: number) => Promise<string | null>): Promise<Run> {
  const latencies: number[] = [];
  const faults: Run['faults'] = { count: 0, examples: [] };
  let calls = 0;
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const measureFrom = begin + bounds.warmUpMs;
  const until = measureFrom + bounds.ms;
  let last = measureFrom;

  const caller = async (): Promise<void> => {
    while (calls < bounds.maxCalls && performance.now() < until) {
      const from = performance.now();
      const fault = await call(calls++).catch((error: unknown) => `no answer: ${error instanceof Error ? error.message : String(error)}`);
      const now = performance.now();
      if (fault !== null && faults.count++ < EXAMPLES) faults.examples.push(fault);
      if (from < measureFrom) continue;
      latencies.push(now - from);
      last = now;
    }
  };
  await Promise.all(Array.from({ length: bounds.callers }, caller));
  const { user, system } = process.cpuUsage(cpu);
  return {
    calls, cpuMicros: (user + system) / calls, latencies: Float64Array.from(latencies).sort(), perSecond: latencies.length / Math.max(0.001, (last - measureFrom) / 1000), faults,
    window: { from: micros(measureFrom), to: micros(last) },
  };
}

/** `performance.now()` counts from the start of the process, `hrtime` on a clock that all processes share. */
function micros(time: number): number {
  return Number(process.hrtime.bigint() / 1000n) - Math.round((performance.now() - time) * 1000);
}

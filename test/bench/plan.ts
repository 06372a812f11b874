import type { PagePlan } from './page.js';

/** A flood of calls. */
export interface OverloadPlan {
  rounds: number;
  /** As many as keep the process busy. */
  callers: number;
  /** Of the flood, and of the normal time before it. */
  ms: number;
  /** At most so many calls in each normal time. */
  maxCalls: number;
}

/** How long the benchmark takes, and what it looks at. */
export interface Plan {
  /** Numbers of callers that are compared. */
  callers: number[];
  /** Rounds of each number of callers: in each, everything that is compared takes a turn. */
  rounds: number;
  /** Of one turn, in milliseconds; the warm-up isn't measured. */
  turnMs: number;
  warmUpMs: number;
  /** Before the first round, for each way of calling. */
  settleMs: number;
  /** At most so many calls in a turn. */
  maxCalls: number;
  /** Enrollments that are each called once, for the memory of their sessions. */
  sessions: number;
  overload: OverloadPlan;
  page: PagePlan;
  profile: 'WHEN_MISSED' | 'ALWAYS' | 'NEVER';
}

const PAGE: PagePlan = { types: 5000, toolsOfType: 10, enrollmentsOfType: 3, schemaBytes: 1024, first: 50, warmUp: 60, pages: 200 };
const OVERLOAD: OverloadPlan = { rounds: 3, callers: 16, ms: 4000, maxCalls: Infinity };
const FULL: Plan = { callers: [1, 16], rounds: 7, turnMs: 1300, warmUpMs: 200, settleMs: 8000, maxCalls: Infinity, sessions: 1000, overload: OVERLOAD, page: PAGE, profile: 'WHEN_MISSED' };
const QUICK: Plan = { ...FULL, rounds: 4, turnMs: 700, settleMs: 4000, sessions: 200, overload: { ...OVERLOAD, rounds: 2, ms: 2000 }, page: { ...PAGE, types: 1000, warmUp: 30, pages: 60 } };
const SMOKE: Plan = { ...FULL, rounds: 1, turnMs: 5000, warmUpMs: 0, settleMs: 0, maxCalls: 40, sessions: 20, overload: { rounds: 1, callers: 16, ms: 300, maxCalls: 200 }, page: { ...PAGE, types: 60, warmUp: 1, pages: 2 }, profile: 'NEVER' };

/** The help that `--help` prints. */
export const USAGE = `npm run bench -- [--quick | --smoke] [--profile | --no-profile] [--rounds <number>] [--sessions <number>]

  --quick       about 40 seconds instead of two to three minutes, less exact, 200 sessions
  --smoke       a few hundred calls: whether everything is right, not how fast it is
  --profile     says where the time goes, even if no target was missed
  --no-profile  never does
`;

/** Reads the flags. @throws for one that isn't known, with what there is */
export function planOf(flags: readonly string[]): Plan {
  let plan = flags.includes('--smoke') ? SMOKE : flags.includes('--quick') ? QUICK : FULL;
  for (let index = 0; index < flags.length; index++) {
    const flag = flags[index]!;
    if (flag === '--quick' || flag === '--smoke') continue;
    else if (flag === '--profile') plan = { ...plan, profile: 'ALWAYS' };
    else if (flag === '--no-profile') plan = { ...plan, profile: 'NEVER' };
    else if ((flag === '--rounds' || flag === '--sessions') && /^[1-9]\d{0,4}$/.test(flags[index + 1] ?? '')) plan = { ...plan, [flag.slice(2)]: Number(flags[++index]) };
    else throw new Error(`${flag} isn't known, or lacks its number.\n\n${USAGE}`);
  }
  return plan;
}

import { readNumberFlags } from '#test/chaos/number-flags.js';

/** How long, and what by. */
export interface Plan {
  /** Of calling, in milliseconds; the looks at quiet processes come on top. */
  forMs: number;
  seed: number;
  people: number;
  /** Calls that are under way at the same time. */
  callers: number;
}

/** The help that `--help` prints. */
export const USAGE = `npm run soak -- [--minutes <number> | --seconds <number>] [--seed <number>] [--people <number>] [--callers <number>]

Two APIs on one PostgreSQL, thousands of calls over servers that are steady, flap, are slow, answer huge results and die in the middle of them; one of the
APIs is killed (kill -9) and started again all the time, the other one lives, and its memory and sockets are looked at. Then what everybody saw is judged.

  --minutes   how long is called (2)
  --seconds   the same in seconds
  --seed      of what happens at random; it is printed, and the same seed draws the same
  --people    how many people call, each with a credential of their own at every server (8)
  --callers   how many calls are under way at the same time (64)
`;

/** Reads the flags. @throws for one that isn't known, with what there is */
export function planOf(flags: readonly string[], seed: number): Plan {
  const plan: Plan = { forMs: 120_000, seed, people: 8, callers: 64 };
  readNumberFlags(flags, USAGE, (flag, value) => {
    switch (flag) {
      case '--minutes': plan.forMs = value * 60_000; return true;
      case '--seconds': plan.forMs = value * 1000; return true;
      case '--seed': plan.seed = value; return true;
      case '--people': plan.people = value; return true;
      case '--callers': plan.callers = value; return true;
      default: return false;
    }
  });
  return plan;
}

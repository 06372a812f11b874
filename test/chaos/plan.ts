import { readNumberFlags } from './number-flags.js';

/** How long, and what by. */
export interface Plan {
  /** Of faults, in milliseconds; settling comes after. */
  forMs: number;
  seed: number;
  people: number;
}

/** The help that `--help` prints. */
export const USAGE = `npm run chaos -- [--minutes <number> | --seconds <number>] [--seed <number>] [--people <number>]

Two operators and two APIs on one PostgreSQL are killed and paused at random while servers go down and come back, tokens live for a few seconds at an
authorization server that rotates them, and calls go on. Then everything settles, and what everybody saw is judged.

  --minutes   how long faults go on (2)
  --seconds   the same in seconds
  --seed      of what happens at random; it is printed, and the same seed draws the same faults (their effects depend on timing)
  --people    how many people call, each with a login at the authorization server and at every other server (8, and 8 more for each further minute: logins end on the way)
`;

/** Reads the flags. @throws for one that isn't known, with what there is */
export function planOf(flags: readonly string[], seed: number): Plan {
  const plan: Plan = { forMs: 120_000, seed, people: 0 };
  readNumberFlags(flags, USAGE, (flag, value) => {
    switch (flag) {
      case '--minutes': plan.forMs = value * 60_000; return true;
      case '--seconds': plan.forMs = value * 1000; return true;
      case '--seed': plan.seed = value; return true;
      case '--people': plan.people = value; return true;
      default: return false;
    }
  });
  if (plan.people === 0) plan.people = 8 * Math.min(5, Math.max(1, Math.ceil(plan.forMs / 60_000)));
  return plan;
}

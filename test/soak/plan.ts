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
  for (let index = 0; index < flags.length; index += 2) {
    const flag = flags[index]!;
    const text = flags[index + 1] ?? '';
    const value = Number(text);
    if (!/^\d{1,10}$/.test(text) || (value === 0 && flag !== '--seed')) throw new Error(`${flag} isn't known, or lacks its number.\n\n${USAGE}`);
    switch (flag) {
      case '--minutes': plan.forMs = value * 60_000; break;
      case '--seconds': plan.forMs = value * 1000; break;
      case '--seed': plan.seed = value; break;
      case '--people': plan.people = value; break;
      case '--callers': plan.callers = value; break;
      default: throw new Error(`${flag} isn't known.\n\n${USAGE}`);
    }
  }
  return plan;
}

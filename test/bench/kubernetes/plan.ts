/** How much is applied, and how long the operator is watched after that. */
export interface Plan {
  /** ConnectionTypes, each of a server on a port of its own, and Enrollments, one for each of them. */
  pairs: number;
  /** How long nothing is to happen. */
  steadySeconds: number;
  profile: boolean;
}

const FULL: Plan = { pairs: 1000, steadySeconds: 90, profile: false };

/** The help that `--help` prints. */
export const USAGE = `npm run bench:kubernetes -- [--smoke] [--pairs N] [--steady SECONDS] [--profile]

  --smoke    twenty objects and a few seconds: whether everything is right, not how fast it is
  --pairs    so many ConnectionTypes and as many Enrollments (${FULL.pairs})
  --steady   how long nothing is to happen (${FULL.steadySeconds}); Secrets are read again every five minutes
  --profile  says where the operator's time goes until everything is Ready
`;

/** Reads the flags. @throws for one that isn't known, with what there is */
export function planOf(flags: readonly string[]): Plan {
  const plan = { ...FULL };
  for (let index = 0; index < flags.length; index += 1) {
    switch (flags[index]) {
      case '--smoke': Object.assign(plan, { pairs: 10, steadySeconds: 3 }); break;
      case '--profile': plan.profile = true; break;
      case '--pairs': plan.pairs = count('--pairs', flags[++index]); break;
      case '--steady': plan.steadySeconds = count('--steady', flags[++index]); break;
      default: throw new Error(`${flags[index]} isn't known.\n\n${USAGE}`);
    }
  }
  return plan;
}

function count(flag: string, text: string | undefined): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${flag} wants a number.\n\n${USAGE}`);
  return value;
}

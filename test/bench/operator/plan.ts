/** How much is measured, and for how long. */
export interface Plan {
  /** Connection types, each looked at once in an interval, on so many ports. */
  types: number;
  ports: number;
  intervalSeconds: number;
  /** Not measured: what was made due spreads out, and code gets warm. */
  warmUpMs: number;
  measureMs: number;
  /** How long everything is due at once, to see how much can be done. */
  saturationMs: number;
  /** Enrollments whose tokens live so long, and calls a second that pick one of them. */
  enrollments: number;
  tokenSeconds: number;
  callsPerSecond: number;
  callMs: number;
  profile: boolean;
}

const FULL: Plan = {
  types: 10_000, ports: 60, intervalSeconds: 60, warmUpMs: 60_000, measureMs: 300_000, saturationMs: 20_000, enrollments: 2000, tokenSeconds: 120, callsPerSecond: 20, callMs: 300_000, profile: false,
};
const QUICK: Plan = { ...FULL, types: 5000, intervalSeconds: 30, warmUpMs: 30_000, measureMs: 30_000, saturationMs: 10_000, enrollments: 500, tokenSeconds: 30, callMs: 40_000 };
const SMOKE: Plan = { ...FULL, types: 100, ports: 5, intervalSeconds: 5, warmUpMs: 5000, measureMs: 4000, saturationMs: 1000, enrollments: 20, tokenSeconds: 12, callsPerSecond: 5, callMs: 8000 };

/** The help that `--help` prints. */
export const USAGE = `npm run bench:operator -- [--quick | --smoke] [--profile] [--checks | --refreshes]

  --quick      about two minutes instead of twelve, less exact
  --smoke      half a minute: whether everything is right, not how fast it is
  --profile    says where the operator's time goes, at saturation
  --checks     health checks only
  --refreshes  refreshes of logins only
`;

/** Reads the flags. @throws for one that isn't known, with what there is */
export function planOf(flags: readonly string[]): Plan {
  const plan = { ...(flags.includes('--smoke') ? SMOKE : flags.includes('--quick') ? QUICK : FULL) };
  for (const flag of flags) {
    switch (flag) {
      case '--smoke':
      case '--quick': break;
      case '--profile': plan.profile = true; break;
      case '--checks': plan.enrollments = 0; break;
      case '--refreshes': plan.types = 0; break;
      default: throw new Error(`${flag} isn't known.\n\n${USAGE}`);
    }
  }
  return plan;
}

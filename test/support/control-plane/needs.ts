import type { ControlPlaneChoice } from '#cli/control-plane/control-plane.js';

/** What tests may need; a real kube-apiserver is a control plane too, with RBAC, admission policies and tokens of service accounts. Go builds Helm, and the tools that check the chart. */
export const NEEDS = { plane: 'on a control plane', apiserver: 'on a real kube-apiserver', go: 'with Go' } as const;
export type Need = keyof typeof NEEDS;

/** Where the setup tells the workers what there is. */
export const CHOICE_VARIABLE = 'TEST_CONTROL_PLANE';
export const GO_VARIABLE = 'TEST_GO';

/**
 * `describe` for tests that need a control plane, a real kube-apiserver, or Go. Where there is none they are skipped, and the suite's last lines say how many.
 * The need becomes the end of the title, by which they are counted.
 */
export function describeNeeding(need: Need, title: string, tests: () => void): void {
  const kind = process.env[CHOICE_VARIABLE] as ControlPlaneChoice['kind'] | undefined;
  const given = need === 'go' ? process.env[GO_VARIABLE] === 'yes' : kind === 'kube-apiserver' || (need === 'plane' && kind === 'library');
  // The global one: the setup and the reporter read this file too, where '@jest/globals' isn't there.
  (given ? describe : describe.skip)(`${title} (${NEEDS[need]})`, tests);
}

/** What a test needs, by the titles of its blocks. */
export function needOf(titles: readonly string[]): Need | null {
  const found = (Object.keys(NEEDS) as Need[]).filter((need) => titles.some((title) => title.endsWith(`(${NEEDS[need]})`)));
  return (['apiserver', 'go', 'plane'] as const).find((need) => found.includes(need)) ?? null;
}

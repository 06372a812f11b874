import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { askChartTools, CHART_TIMEOUT_MS } from '#test/support/chart/tools.js';

type Condition = [type: string, status: 'True' | 'False' | 'Unknown', reason?: string];

const KINDS = ['ConnectionType', 'Enrollment'] as const;
const object = (kind: string, observedGeneration: number, conditions: Condition[] | null) => ({
  apiVersion: 'fairlead.dev/v1alpha1', kind, metadata: { name: 'one', generation: 2 }, spec: {},
  status: { observedGeneration, ...(conditions !== null && { conditions: conditions.map(([type, status, reason = 'Because']) => ({ type, status, reason, message: `${type} is ${status}` })) }) },
});

/** What is there, and what each tool is to make of it. */
const TABLE: [what: string, observedGeneration: number, conditions: Condition[] | null, argocd: string, flux: string | Record<(typeof KINDS)[number], string>][] = [
  ['that nobody has looked at', -1, null, 'Progressing', 'InProgress'],
  ['whose change nobody has looked at', 1, [['Ready', 'True']], 'Progressing', 'InProgress'],
  ['that is being looked at', 2, [['Ready', 'Unknown'], ['Reconciling', 'True']], 'Progressing', 'InProgress'],
  ['that is ready', 2, [['Ready', 'True'], ['Reconciling', 'False'], ['Stalled', 'False']], 'Healthy', 'Current'],
  ['whose server is down', 2, [['Ready', 'False', 'Unreachable'], ['Stalled', 'False']], 'Degraded', 'InProgress'],
  ['that can\'t go on', 2, [['Ready', 'False', 'CredentialRejected'], ['Stalled', 'True']], 'Degraded', 'Failed'],
  ['that waits for somebody\'s consent', 2, [['Ready', 'False', 'AwaitingConsent'], ['Stalled', 'False']], 'Suspended', { ConnectionType: 'InProgress', Enrollment: 'Current' }],
];

describeNeeding('go', 'the health checks for GitOps', () => {
  const lua = readFileSync('docs/gitops/health.lua', 'utf8');
  const { spec: { healthCheckExprs } } = parse(readFileSync('docs/gitops/flux-kustomization.yaml', 'utf8')) as { spec: { healthCheckExprs: { kind: string }[] } };

  const verdicts = new Map<string, { argocd: string; flux: string }[]>();
  beforeAll(async () => {
    for (const kind of KINDS) {
      const question = { lua, expressions: healthCheckExprs.find((one) => one.kind === kind), objects: TABLE.map(([, generation, conditions]) => object(kind, generation, conditions)) };
      verdicts.set(kind, await askChartTools('health', JSON.stringify(question)));
    }
  }, CHART_TIMEOUT_MS);

  it.each(KINDS.flatMap((kind) => TABLE.map((row, index) => [kind, row[0], index] as const)))('say of a %s %s what is so', (kind, _what, index) => {
    const [, , , argocd, flux] = TABLE[index]!;
    expect(verdicts.get(kind)![index]).toEqual({ argocd, flux: typeof flux === 'string' ? flux : flux[kind] });
  });

  it('are in the patch for Argo CD as they are in the file', () => {
    const { data } = parse(readFileSync('docs/gitops/argocd-cm.yaml', 'utf8')) as { data: Record<string, string> };
    expect(data).toEqual(Object.fromEntries(KINDS.map((kind) => [`resource.customizations.health.fairlead.dev_${kind}`, lua])));
  });
});

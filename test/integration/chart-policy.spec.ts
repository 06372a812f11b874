import { beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { RESOURCES, type MirroredKind } from '#operator/manifest/resources.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { ODD_CASES, POLICY_TABLE, WRITERS, type PolicyCase } from '#test/support/chart/policy-table.js';
import { askChartTools, CHART, CHART_TIMEOUT_MS, render, type KubeObject } from '#test/support/chart/tools.js';

const CASES = [...POLICY_TABLE, ...ODD_CASES];
const WORDS = /An object with spec\.origin=API mirrors what was made through the GraphQL API: change or delete it there\./;

describeNeeding('go', 'the admission policy, by the API server\'s own evaluator', () => {
  let objects: KubeObject[];
  beforeAll(async () => { objects = await render(readFileSync(`${CHART}/ci/minimal-values.yaml`, 'utf8')); }, CHART_TIMEOUT_MS);

  const judged = async (cases: readonly PolicyCase[], binding = objects.find(({ kind }) => kind === 'ValidatingAdmissionPolicyBinding')!) => {
    const policy = objects.find(({ kind }) => kind === 'ValidatingAdmissionPolicy')!;
    const requests = cases.map(({ writer, write: { operation, subresource, before, after } }) => ({ user: WRITERS[writer], operation, resource: RESOURCES[(after ?? before)!.kind as MirroredKind], subresource, object: after, oldObject: before }));
    return (await askChartTools<{ refused: string }[]>('policy', JSON.stringify({ policy: stringify(policy), binding: stringify(binding), requests }))).map(({ refused }) => refused);
  };
  const line = ({ writer, what }: PolicyCase, refused: boolean) => `${writer} ${what}: ${refused ? 'refused' : 'allowed'}`;

  it('keeps all but the operator, and what cleans up, from writing mirrors, and nobody from anything else', async () => {
    const verdicts = await judged(CASES);
    expect(CASES.length).toBeGreaterThan(250);
    expect(CASES.map((one, index) => line(one, verdicts[index] !== ''))).toEqual(CASES.map((one) => line(one, one.refused)));
    for (const words of verdicts.filter((verdict) => verdict !== '')) expect(words).toMatch(WORDS);
  });

  it('is for the namespaces that the operator follows', async () => {
    const elsewhere = CASES.filter(({ refused }) => refused).map((one) => ({ ...one, write: { ...one.write, before: moved(one.write.before), after: moved(one.write.after) } }));
    expect((await judged(elsewhere)).filter((words) => words !== '')).toEqual([]);
    objects = await render(readFileSync(`${CHART}/ci/cluster-wide-values.yaml`, 'utf8'));
    expect((await judged(elsewhere)).filter((words) => words === '')).toEqual([]);
  });

  describe('the operator that it knows', () => {
    it('is the one that the chart starts, whatever it is called', async () => {
      const renamed = await render(readFileSync(`${CHART}/ci/minimal-values.yaml`, 'utf8'), { args: ['--set', 'operator.serviceAccount.name=another', '--set', 'fullnameOverride=x'] });
      const account = renamed.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'x-operator')!.spec.template.spec.serviceAccountName;
      expect(account).toBe('another');
      expect(JSON.stringify(renamed.find(({ kind }) => kind === 'ValidatingAdmissionPolicy'))).toContain(`'system:serviceaccount:fairlead:${account}'`);
    });
  });
});

function moved(object: KubeObject | null): KubeObject | null {
  return object === null ? null : { ...object, metadata: { ...object.metadata, namespace: 'elsewhere' } };
}

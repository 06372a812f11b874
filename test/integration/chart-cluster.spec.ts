import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { RESOURCES, type MirroredKind } from '#operator/manifest/resources.js';
import { collectionOf } from '#operator/mirror/cluster.js';
import { CHOICE_VARIABLE, describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';
import { Cluster } from '#test/support/chart/cluster.js';
import { ODD_CASES, POLICY_TABLE, WRITERS } from '#test/support/chart/policy-table.js';
import { CHART, CHART_TIMEOUT_MS, render, type KubeObject } from '#test/support/chart/tools.js';

const REAL = process.env[CHOICE_VARIABLE] === 'kube-apiserver';
const valuesOf = (name: string) => readFileSync(`${CHART}/ci/${name}-values.yaml`, 'utf8');

describeNeeding('plane', 'a cluster', () => {
  describeNeeding('go', 'that the chart comes to', () => {
    let cluster: Cluster;
    beforeAll(async () => {
      await render(valuesOf('minimal'));
      cluster = await Cluster.start();
    }, Math.max(PLANE_TIMEOUT_MS, CHART_TIMEOUT_MS));
    afterAll(() => cluster?.stop());

    it.each([['minimal'], ['full'], ['cluster-wide'], ['observe'], ['no-mirror']])('takes every object that it serves, by a server-side dry run, with the values of %s', async (name) => {
      const objects = await render(valuesOf(name));
      const answers = await Promise.all(objects.map(async (object) => ({ kind: object.kind, answer: await cluster.apply(object, 'All') })));
      expect(answers.map(({ answer }) => answer).filter((answer) => answer !== null && answer !== '')).toEqual([]);
      const unserved = [...new Set(answers.filter(({ answer }) => answer === null).map(({ kind }) => kind))];
      // A real one lacks the Prometheus operator's kinds; ours has what the mirror needs.
      if (REAL) expect(unserved.filter((kind) => kind !== 'ServiceMonitor' && kind !== 'PrometheusRule')).toEqual([]);
      else expect(answers.filter(({ answer }) => answer === '').map(({ kind }) => kind)).toEqual(expect.arrayContaining(['ConfigMap', 'ServiceAccount']));
    });

    it('with the chart\'s CRDs takes the contract\'s manifests as they stand', async () => {
      for (const crd of (await render(valuesOf('minimal'))).filter(({ kind }) => kind === 'CustomResourceDefinition')) expect(await cluster.apply(crd)).toBe('');
      const manifests = parseAllDocuments(readFileSync('test/contract/manifests.yaml', 'utf8')).map((document) => document.toJS() as KubeObject | null).filter((object) => object !== null && object.kind in RESOURCES) as KubeObject[];
      expect(manifests.length).toBeGreaterThan(2);
      for (const manifest of manifests) {
        const answer = async (): Promise<string | null> => cluster.apply(manifest, 'All');
        // A new CRD is served a moment after it was accepted.
        while (await answer() === null) await delay(100);
        expect(await answer()).toBe('');
      }
    });
  });
});

describeNeeding('apiserver', 'the admission policy in a cluster', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
    for (const object of (await render(valuesOf('minimal'))).filter(({ kind }) => /^(CustomResourceDefinition|ValidatingAdmissionPolicy.*)$/.test(kind))) expect(await cluster.apply(object)).toBe('');
  }, Math.max(PLANE_TIMEOUT_MS, CHART_TIMEOUT_MS));
  afterAll(() => cluster?.stop());

  it('says the same as the evaluator, line by line', async () => {
    const place = ({ kind, metadata }: KubeObject) => collectionOf(kind as MirroredKind, metadata.namespace!);
    const writes = [...POLICY_TABLE, ...ODD_CASES];
    // As the operator: a mirror, and a manifest, of each kind.
    const before = new Map<string, KubeObject>();
    for (const { write } of writes) {
      if (write.before === null || before.has(JSON.stringify(write.before))) continue;
      const named = { ...write.before, metadata: { ...write.before.metadata, name: `one-${before.size}` } };
      const made = async () => cluster.send('POST', place(named), { body: named, as: WRITERS.operator });
      let answer = await made();
      while (answer.status === 404) { await delay(100); answer = await made(); }
      expect(answer.status).toBe(201);
      before.set(JSON.stringify(write.before), answer.body);
    }
    const verdict = async ({ writer, write: { operation, subresource, ...write } }: (typeof writes)[number]): Promise<'refused' | 'allowed' | 'invalid'> => {
      const as = WRITERS[writer];
      const there = write.before === null ? null : before.get(JSON.stringify(write.before))!;
      const after = write.after === null ? null : { ...write.after, metadata: { ...write.after.metadata, name: there?.metadata.name ?? 'new', ...(there !== null && { resourceVersion: (there.metadata as { resourceVersion?: string }).resourceVersion }) } };
      const at = there === null ? place(after!) : `${place(there)}/${there.metadata.name}${subresource === '' ? '' : `/${subresource}`}`;
      const { status, body } = await cluster.send(operation === 'CREATE' ? 'POST' : operation === 'UPDATE' ? 'PUT' : 'DELETE', `${at}?dryRun=All`, { ...(after !== null && { body: after }), as });
      const refused = status === 403 && String(body['message']).includes('mirrors what was made through the GraphQL API');
      if (refused) return 'refused';
      // The CRD's own rules come before admission: nobody changes who owns an object, whatever the policy says of it.
      if (status === 422 && there?.['spec'].origin !== write.after?.['spec'].origin) return 'invalid';
      if (status >= 300) throw new Error(`${status} ${String(body['message'])}`);
      return 'allowed';
    };
    // A policy works a moment after it was accepted.
    const first = writes.find(({ refused }) => refused)!;
    while (await verdict(first) !== 'refused') await delay(200);
    const seen = new Map<string, string>();
    for (const one of writes) seen.set(`${one.writer} ${one.what}`, await verdict(one));
    const valid = writes.filter(({ writer, what }) => seen.get(`${writer} ${what}`) !== 'invalid');
    expect(valid.length).toBeGreaterThan(200);
    expect(valid.map(({ writer, what }) => `${writer} ${what}: ${seen.get(`${writer} ${what}`)}`)).toEqual(valid.map(({ writer, what, refused }) => `${writer} ${what}: ${refused ? 'refused' : 'allowed'}`));
  });
});

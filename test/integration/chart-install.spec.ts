import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { ClusterAccess } from '#operator/kubernetes/cluster-access.js';
import { KubeClient } from '#operator/kubernetes/kube-client.js';
import { API_VERSION, type MirroredKind } from '#operator/manifest/resources.js';
import { Cluster as MirroredCluster, collectionOf } from '#operator/mirror/cluster.js';
import { ObjectCache } from '#operator/mirror/object-cache.js';
import { startTestApi, type TestApi } from '#test/support/api.js';
import { Cluster } from '#test/support/chart/cluster.js';
import { OPERATOR_PLACE } from '#test/support/chart/given-rights.js';
import { CHART, CHART_TIMEOUT_MS, helm, render, type KubeObject } from '#test/support/chart/tools.js';
import { describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS } from '#test/support/control-plane/plane.js';
import { ChangeableServer } from '#test/support/mcp-servers/changeable.js';
import { until } from '#test/support/mcp-servers/until.js';
import { startTestOperator } from '#test/support/operator.js';
import { QUICK_LEASE } from '#test/support/mirror/world.js';

const VALUES = `${readFileSync(`${CHART}/ci/minimal-values.yaml`, 'utf8')}
serviceMonitor: {enabled: true}
prometheusRule: {enabled: true}
`;
/** What makes pods' objects, joins roles and checks policies; the API server alone does none of it. */
const CONTROLLERS = existsSync(join(process.env['KUBEBUILDER_ASSETS'] ?? '', 'kube-controller-manager'));
const HOME = OPERATOR_PLACE.namespace;
const OPERATOR = `system:serviceaccount:${HOME}:${OPERATOR_PLACE.name}`;

/** Kinds of the Prometheus operator, of any shape. */
const monitoring = (kind: string): KubeObject => ({
  apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: `${kind.toLowerCase()}s.monitoring.coreos.com` },
  spec: {
    group: 'monitoring.coreos.com', scope: 'Namespaced', names: { kind, plural: `${kind.toLowerCase()}s` },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { 'type': 'object', 'x-kubernetes-preserve-unknown-fields': true } } }],
  },
});

describeNeeding('apiserver', 'a release of the chart, with rights that count', () => {
  describeNeeding('go', 'by Helm', () => {
    let cluster: Cluster;
    beforeAll(async () => {
      await render(VALUES);
      cluster = await Cluster.start({ rbac: true });
      await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: HOME, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } });
      await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'logistics', labels: { 'fairlead.dev/team': 'default' } } });
      for (const kind of ['ServiceMonitor', 'PrometheusRule']) {
        expect(await cluster.apply(monitoring(kind))).toBe('');
        await until(async () => (await cluster.send('GET', `/apis/monitoring.coreos.com/v1/${kind.toLowerCase()}s`)).status === 200);
      }
    }, Math.max(PLANE_TIMEOUT_MS, CHART_TIMEOUT_MS));
    afterAll(() => cluster?.stop());

    /** Pods never run here, so that hooks, which wait for theirs, are left out. */
    const release = async (verb: 'install' | 'upgrade' | 'uninstall', values = VALUES) => {
      const args = verb === 'uninstall' ? [verb, 'fairlead', '--no-hooks', '--namespace', HOME] : [verb, 'fairlead', CHART, '--no-hooks', '--namespace', HOME, '-f', '-'];
      const { exitCode, stderr } = await helm(args, verb === 'uninstall' ? '' : values, cluster.plane.kubeconfig('admin'));
      expect([stderr, exitCode]).toEqual(['', 0]);
    };
    const rendered = async (values = VALUES) => (await render(values, { namespace: HOME })).filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === undefined);
    const read = async (object: KubeObject) => cluster.send('GET', (await cluster.pathOf(object))!);
    const missing = async (objects: readonly KubeObject[]) => {
      const answers = await Promise.all(objects.map(async (object) => `${(await read(object)).status} ${object.kind} ${object.metadata.name}`));
      return answers.filter((answer) => !answer.startsWith('200'));
    };
    const manifest = (kind: MirroredKind, name: string, spec: object): KubeObject => ({ apiVersion: API_VERSION, kind, metadata: { name, namespace: 'logistics' }, spec });
    const type = (name: string, spec: object = {}) => manifest('ConnectionType', name, { displayName: name, serverUrl: 'https://mcp.example.com/mcp', authMethod: 'NONE', ...spec });
    const TYPES = collectionOf('ConnectionType', 'logistics');

    it('puts every object there that the chart renders, and a policy whose expressions fit their types', async () => {
      await release('install');
      expect(await missing(await rendered())).toEqual([]);
      if (!CONTROLLERS) return;
      // Types are checked of versions that are named, and the chart's policy is for all that will ever be.
      const policy = structuredClone((await rendered()).find(({ kind }) => kind === 'ValidatingAdmissionPolicy')!);
      policy.metadata.name = 'checked';
      policy['spec'].matchConstraints.resourceRules[0].apiVersions = [API_VERSION.split('/')[1]];
      expect(await cluster.apply(policy)).toBe('');
      let status: { observedGeneration?: number; typeChecking?: { expressionWarnings?: object[] } } | undefined;
      await until(async () => {
        status = (await read(policy)).body['status'];
        return status?.observedGeneration === 1;
      });
      expect(status!.typeChecking).toEqual({});
      await until(async () => (await cluster.send('GET', `/api/v1/namespaces/${HOME}/pods`)).body['items'].length === 4);
    });

    it('lets the operator work by the token of its service account', async () => {
      const token = await cluster.send('POST', `/api/v1/namespaces/${HOME}/serviceaccounts/${OPERATOR_PLACE.name}/token`, { body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } } });
      expect(token.status).toBe(201);
      const folder = await mkdtemp(join(tmpdir(), 'fairlead-account-'));
      const kubeconfig = join(folder, 'kubeconfig');
      const config = parse(readFileSync(cluster.plane.kubeconfig('admin'), 'utf8')) as { users: { name: string; user: object }[] };
      writeFileSync(kubeconfig, stringify({ ...config, users: config.users.map(({ name }) => ({ name, user: { token: token.body['status'].token as string } })) }), { mode: 0o600 });
      const [api, server] = await Promise.all([startTestApi(), ChangeableServer.start()]);
      const settings = { FAIRLEAD_MIRROR: 'on', FAIRLEAD_KUBECONFIG: kubeconfig, FAIRLEAD_LEASE_NAMESPACE: HOME, FAIRLEAD_MIRROR_NAMESPACES: 'logistics' };
      const operator = await startTestOperator(api, { env: settings, leaseTimes: QUICK_LEASE });
      try {
        await bothWays(api, server.url);
        expect(cluster.plane.requests().filter(({ user, verb }) => user === OPERATOR && verb === 'patch').length).toBeGreaterThan(2);
      } finally {
        await operator.stop();
        await Promise.all([api.stop(), server.stop()]);
        await rm(folder, { recursive: true });
      }
    });

    /** A manifest becomes a type, and a type a mirror. */
    async function bothWays(api: TestApi, serverUrl: string): Promise<void> {
      const of = async (name: string) => (await cluster.send('GET', `${TYPES}/${name}`)).body;
      const ready = async (name: string) => (await of(name))['status']?.conditions?.some((one: { type: string; status: string }) => one.type === 'Ready' && one.status === 'True') as boolean | undefined;
      // A team that was there before is given a namespace by who administers it, not by a label.
      await api.must('mutation ($input: BindNamespaceInput!) { bindNamespace(input: $input) { userErrors { code message } } }', { input: { team: 'default', namespace: 'logistics' } });
      expect(await cluster.apply(type('declared', { serverUrl }))).toBe('');
      await until(async () => (await ready('declared')) === true);
      await api.must('CreateConnectionType', { input: { team: 'default', displayName: 'Made here', serverUrl, authMethod: 'NONE' } });
      await until(async () => (await ready('made-here')) === true);
      expect((await of('made-here'))['spec'].origin).toBe('API');
    }

    it.each([
      ['list', '', 'secrets', 'logistics'], ['watch', '', 'secrets', 'logistics'], ['get', '', 'secrets', 'finance'], ['get', '', 'secrets', HOME], ['get', '', 'secrets', 'kube-system'],
      ['create', '', 'secrets', 'logistics'], ['update', '', 'secrets', 'logistics'], ['list', 'fairlead.dev', 'connectiontypes', 'finance'], ['update', 'fairlead.dev', 'enrollments', 'logistics'],
      ['deletecollection', 'fairlead.dev', 'connectiontypes', 'logistics'], ['get', '', 'pods', HOME], ['create', '', 'pods', HOME], ['create', '', 'serviceaccounts/token', HOME],
      ['patch', '', 'namespaces', ''], ['delete', '', 'namespaces', ''], ['get', '', 'namespaces', 'finance'], ['create', 'rbac.authorization.k8s.io', 'rolebindings', 'logistics'],
      ['patch', 'apiextensions.k8s.io', 'customresourcedefinitions', ''], ['delete', 'admissionregistration.k8s.io', 'validatingadmissionpolicies', ''], ['get', 'coordination.k8s.io', 'leases', 'kube-system'],
      ['impersonate', '', 'users', ''],
    ])('gives its operator no right to %s %s %s in %s', async (verb, group, resource, namespace) => {
      const [main, subresource = ''] = resource.split('/');
      const review = (asked: object) => cluster.send('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
        body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec: { user: OPERATOR, groups: ['system:serviceaccounts', `system:serviceaccounts:${HOME}`, 'system:authenticated'], resourceAttributes: asked } },
      });
      expect((await review({ verb, group, resource: main, subresource, namespace })).body['status'].allowed).toBe(false);
      expect((await review({ verb: 'get', group: '', resource: 'secrets', namespace: 'logistics', name: 'any' })).body['status'].allowed).toBe(true);
    });

    it('is told by the API server that a right is missing in the words by which the operator knows it', async () => {
      const access = await ClusterAccess.load({ file: cluster.plane.kubeconfig('other') });
      const stranger = new MirroredCluster(new KubeClient({ access, userAgent: 'test' }), new ObjectCache(null));
      await expect(stranger.vanishing('ConnectionType', 'logistics')).rejects.toMatchObject({ code: 'FORBIDDEN', withoutRight: true });
      await access.close();
    });

    it('lets who may edit a namespace edit manifests in it, and nobody a mirror', async () => {
      if (!CONTROLLERS) return;
      for (const [user, role] of [['ada', 'edit'], ['bob', 'view']] as const) {
        const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }];
        const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role };
        expect(await cluster.apply({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: user, namespace: 'logistics' }, roleRef, subjects })).toBe('');
      }
      const as = async (user: string | undefined, method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) => {
        const { status, body: answer } = await cluster.send(method, path, { body, as: user, ...(method === 'PATCH' && { contentType: 'application/merge-patch+json' }) });
        return status < 300 ? 'allowed' : status !== 403 ? `${status} ${String(answer['message'])}` : String(answer['message']).includes('mirrors what was made through the GraphQL API') ? 'refused by the policy' : 'no right';
      };
      await until(async () => (await as('ada', 'POST', TYPES, type('hers'))) === 'allowed');
      const spec = { spec: { description: 'Changed' } };
      expect({
        'ada changes hers': await as('ada', 'PATCH', `${TYPES}/hers`, spec),
        'ada makes a mirror': await as('ada', 'POST', TYPES, type('forged', { origin: 'API' })),
        'ada changes a mirror': await as('ada', 'PATCH', `${TYPES}/made-here`, spec),
        'ada labels a mirror': await as('ada', 'PATCH', `${TYPES}/made-here`, { metadata: { labels: { 'example.com/a': 'b' } } }),
        'ada deletes a mirror': await as('ada', 'DELETE', `${TYPES}/made-here`),
        'ada empties the namespace of types': await as('ada', 'DELETE', TYPES),
        'ada writes a status': await as('ada', 'PATCH', `${TYPES}/hers/status`, { status: { conditions: [] } }),
        'ada looks elsewhere': await as('ada', 'GET', collectionOf('ConnectionType', 'finance')),
        'bob looks': await as('bob', 'GET', `${TYPES}/made-here`),
        'bob makes one': await as('bob', 'POST', TYPES, type('his')),
        'the administrator deletes a mirror': await as(undefined, 'DELETE', `${TYPES}/made-here`),
      }).toEqual({
        'ada changes hers': 'allowed', 'ada makes a mirror': 'refused by the policy', 'ada changes a mirror': 'refused by the policy', 'ada labels a mirror': 'allowed', 'ada deletes a mirror': 'refused by the policy',
        'ada empties the namespace of types': 'refused by the policy', 'ada writes a status': 'no right', 'ada looks elsewhere': 'no right', 'bob looks': 'allowed', 'bob makes one': 'no right',
        'the administrator deletes a mirror': 'refused by the policy',
      });
    });

    it('is upgraded in place: other values, one namespace more, CRDs as the chart has them', async () => {
      const crd = (await rendered()).find(({ kind, metadata }) => kind === 'CustomResourceDefinition' && metadata.name.startsWith('connectiontypes'))!;
      const columns = async () => (await read(crd)).body['spec'].versions[0].additionalPrinterColumns as object[];
      const before = await columns();
      await cluster.send('PATCH', (await cluster.pathOf(crd))!, { contentType: 'application/json-patch+json', body: [{ op: 'remove', path: '/spec/versions/0/additionalPrinterColumns/0' }] });
      expect(await columns()).toHaveLength(before.length - 1);
      const values = `${VALUES.replace('namespaces: [logistics]', 'namespaces: [logistics, finance]')}api: {replicas: 3}\nnetworkPolicy: {enabled: false}\npodDisruptionBudget: {enabled: false}\n`;
      await release('upgrade', values);
      expect(await missing(await rendered(values))).toEqual([]);
      expect((await cluster.send('GET', `/apis/apps/v1/namespaces/${HOME}/deployments/fairlead-api`)).body['spec'].replicas).toBe(3);
      expect((await cluster.send('GET', `/apis/networking.k8s.io/v1/namespaces/${HOME}/networkpolicies`)).body['items']).toEqual([]);
      expect(await columns()).toEqual(before);
    });

    it('leaves CRDs and what is declared when it is uninstalled, nothing else, and is installed again on them', async () => {
      const objects = await rendered();
      await release('uninstall');
      const kept = objects.filter(({ kind }) => kind === 'CustomResourceDefinition');
      expect(kept).toHaveLength(2);
      expect(await missing(kept)).toEqual([]);
      expect((await cluster.send('GET', `${TYPES}/declared`)).status).toBe(200);
      expect(await missing(objects)).toHaveLength(objects.length - kept.length);
      await release('install');
      expect(await missing(objects)).toEqual([]);
    });
  });
});

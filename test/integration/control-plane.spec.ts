import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parseAllDocuments, parse } from 'yaml';
import { ClusterAccess } from '#operator/kubernetes/cluster-access.js';
import { KubeClient } from '#operator/kubernetes/kube-client.js';
import { CHOICE_VARIABLE, describeNeeding } from '#test/support/control-plane/needs.js';
import { PLANE_TIMEOUT_MS, startPlane, type TestPlane } from '#test/support/control-plane/plane.js';

interface KubeObject { apiVersion: string; kind: string; metadata: { name: string; namespace?: string; uid?: string; generation?: number; finalizers?: string[] }; [field: string]: unknown }

const GROUP = 'example.fairlead.dev';

/** A resource that has a bit of everything that a control plane has to know of custom resources. */
const CRD = parse(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.${GROUP}}
spec:
  group: ${GROUP}
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, shortNames: [wdg]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            x-kubernetes-validations: [{rule: self.size < 100, message: a widget is smaller than a hundred}]
            properties: {size: {type: integer, format: int32}, colour: {type: string, default: grey}}
          status:
            type: object
            default: {observedGeneration: -1}
            properties: {observedGeneration: {type: integer, format: int64}}
`) as KubeObject;

const APPLY = 'application/apply-patch+yaml';

describeNeeding('plane', 'The control plane', () => {
  let plane: TestPlane;
  const clients = new Map<string, { access: ClusterAccess; client: KubeClient }>();
  const as = async (who: 'admin' | 'operator' | 'other'): Promise<KubeClient> => {
    const known = clients.get(who);
    if (known !== undefined) return known.client;
    const access = await ClusterAccess.load({ file: plane.kubeconfig(who) });
    const client = new KubeClient({ access, userAgent: 'control-plane-spec' });
    clients.set(who, { access, client });
    return client;
  };
  const apply = async (path: string, body: unknown, query: Record<string, string> = {}) =>
    (await as('admin')).send<KubeObject>({ method: 'PATCH', path, query: { fieldManager: 'test', force: 'true', ...query }, body, contentType: APPLY });
  const get = async <T = KubeObject>(path: string, query?: Record<string, string>) => (await as('admin')).send<T>({ method: 'GET', path, query });
  const WIDGETS = `/apis/${GROUP}/v1/namespaces/default/widgets`;
  const widget = (name: string, spec: object) => ({ apiVersion: `${GROUP}/v1`, kind: 'Widget', metadata: { name }, spec });
  /** Asks again until it holds; the test's timeout bounds it. */
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    while (!(await holds().catch(() => false))) await new Promise((resolve) => { setTimeout(resolve, 50); });
  };

  beforeAll(async () => {
    plane = await startPlane({ watchCache: false });
    await apply(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${CRD.metadata.name}`, CRD);
    await until(async () => (await get(WIDGETS)).kind === 'WidgetList');
  }, PLANE_TIMEOUT_MS);
  afterAll(async () => {
    for (const { access } of clients.values()) await access.close();
    await plane.stop();
  });

  it('serves custom resources: defaults, rules in CEL, server-side apply, dry-run, and the status apart', async () => {
    const made = await apply(`${WIDGETS}/one`, widget('one', { size: 1 }));
    expect(made).toMatchObject({ metadata: { generation: 1 }, spec: { size: 1, colour: 'grey' }, status: { observedGeneration: -1 } });
    await expect(apply(`${WIDGETS}/two`, widget('two', { size: 100 }))).rejects.toMatchObject({ status: 422 });
    await apply(`${WIDGETS}/two`, widget('two', { size: 2 }), { dryRun: 'All' });
    await expect(get(`${WIDGETS}/two`)).rejects.toMatchObject({ status: 404 });
    const told = await apply(`${WIDGETS}/one/status`, { apiVersion: `${GROUP}/v1`, kind: 'Widget', metadata: { name: 'one' }, status: { observedGeneration: 1 } });
    expect(told).toMatchObject({ metadata: { generation: 1 }, status: { observedGeneration: 1 } });
    await expect((await as('admin')).send({
      method: 'PATCH', path: `${WIDGETS}/one`, query: { fieldManager: 'another' }, body: widget('one', { size: 3 }), contentType: APPLY,
    })).rejects.toMatchObject({ status: 409 });
  });

  it('keeps the built-in types that the operator needs: a Secret\'s strings become data, an event is one object in both groups, a namespace must exist', async () => {
    const secret = await apply('/api/v1/namespaces/default/secrets/s', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', labels: { a: 'b' } }, stringData: { token: 'abc' } });
    expect(secret).toMatchObject({ type: 'Opaque', data: { token: 'YWJj' } });
    expect(secret['stringData']).toBeUndefined();
    const event = { apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: { name: 'one.1' }, eventTime: '2026-11-23T00:00:00.000000Z', regarding: { kind: 'Widget', name: 'one', namespace: 'default' },
      reason: 'Seen', note: 'It was seen.', type: 'Normal', reportingController: 'test', reportingInstance: 'test-1', action: 'See' };
    await (await as('operator')).send({ method: 'POST', path: '/apis/events.k8s.io/v1/namespaces/default/events', body: event });
    const seen = await get<{ items: KubeObject[] }>('/api/v1/namespaces/default/events', { fieldSelector: 'involvedObject.name=one' });
    expect(seen.items).toMatchObject([{ kind: 'Event', message: 'It was seen.', involvedObject: { name: 'one' } }].map(({ kind: _kind, ...rest }) => rest));
    const lease = await apply('/apis/coordination.k8s.io/v1/namespaces/default/leases/l', { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l' }, spec: { holderIdentity: 'me' } });
    const stale = { ...lease, metadata: { ...lease.metadata, resourceVersion: '1' } };
    await expect((await as('operator')).send({ method: 'PUT', path: '/apis/coordination.k8s.io/v1/namespaces/default/leases/l', body: stale })).rejects.toMatchObject({ status: 409 });
    await expect(apply('/api/v1/namespaces/nowhere/secrets/s', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } })).rejects.toMatchObject({ status: 404 });
  });

  it('empties a deleted namespace, and then it is gone', async () => {
    await apply('/api/v1/namespaces/brief', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'brief' } });
    await apply(`/apis/${GROUP}/v1/namespaces/brief/widgets/w`, { ...widget('w', { size: 1 }), metadata: { name: 'w' } });
    await (await as('admin')).send({ method: 'DELETE', path: '/api/v1/namespaces/brief' });
    // Elsewhere that is the work of kube-controller-manager, which not everybody puts beside kube-apiserver.
    if (process.env[CHOICE_VARIABLE] === 'kube-apiserver' && !existsSync(join(process.env['KUBEBUILDER_ASSETS']!, 'kube-controller-manager'))) return expect(await get('/api/v1/namespaces/brief')).toMatchObject({ status: { phase: 'Terminating' } });
    await until(async () => get('/api/v1/namespaces/brief').then(() => false, (error: { status?: number }) => error.status === 404));
    await expect(get(`/apis/${GROUP}/v1/namespaces/brief/widgets/w`)).rejects.toMatchObject({ status: 404 });
  });

  it('lists its groups in plain and in aggregated discovery', async () => {
    const { groups } = await get<{ groups: { name: string }[] }>('/apis');
    expect(groups.map(({ name }) => name).sort()).toEqual(expect.arrayContaining(['apiextensions.k8s.io', 'coordination.k8s.io', 'events.k8s.io', GROUP]));
  });

  it('logs who did what to which object, with the answer', async () => {
    await (await as('other')).send({ method: 'GET', path: `${WIDGETS}/one` });
    await (await as('other')).send({ method: 'GET', path: `${WIDGETS}/none` }).catch(() => undefined);
    const mine = () => plane.requests().filter(({ user }) => user === 'other');
    await until(async () => mine().length >= 2);
    expect(mine()).toEqual([200, 404].map((status, index) => expect.objectContaining({
      verb: 'get', group: GROUP, resource: 'widgets', subresource: '', namespace: 'default', name: ['one', 'none'][index], status, userAgent: 'control-plane-spec',
    })));
    expect(plane.requests().find(({ subresource }) => subresource === 'status')).toMatchObject({ verb: 'patch', name: 'one' });
    expect(plane.auditLog()).not.toContain('YWJj');
  });

  it('ends a watch that asks for what was compacted with 410', async () => {
    const { metadata } = await get<{ metadata: { resourceVersion: string } }>(WIDGETS);
    await apply(`${WIDGETS}/one`, widget('one', { size: 7 }));
    await apply(`${WIDGETS}/one`, widget('one', { size: 8 }));
    await plane.compact();
    const watch = (await as('admin')).lines({ method: 'GET', path: WIDGETS, query: { watch: 'true', resourceVersion: metadata.resourceVersion }, signal: AbortSignal.timeout(20_000) });
    const first = await watch.next().catch((error: unknown) => error);
    expect(JSON.stringify(first)).toContain('410');
  });

  it('keeps every acknowledged object through kill -9, its port and its users too', async () => {
    await apply(`${WIDGETS}/kept`, widget('kept', { size: 9 }));
    await plane.kill();
    await expect(get(WIDGETS)).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await plane.start();
    expect(await get(`${WIDGETS}/kept`)).toMatchObject({ spec: { size: 9 } });
  });

  it('accepts our CRDs and the manifests of the contract', async () => {
    for (const name of ['connectiontypes', 'enrollments']) {
      const crd = parse(readFileSync(`schema/crds/${name}.fairlead.dev.yaml`, 'utf8')) as KubeObject;
      await apply(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`, crd);
      await until(async () => (await get(`/apis/fairlead.dev/v1alpha1/${name}`)) !== null);
    }
    const documents = parseAllDocuments(readFileSync('test/contract/manifests.yaml', 'utf8')).map((document) => document.toJS() as KubeObject | null).filter((one) => one !== null);
    expect(documents.length).toBeGreaterThan(9);
    for (const one of documents) await apply(pathOf(one), one, { fieldValidation: 'Strict' });
  });
});

function pathOf({ apiVersion, kind, metadata }: KubeObject): string {
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  return `${root}${metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`}/${kind.toLowerCase()}s/${metadata.name}`;
}

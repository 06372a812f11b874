import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { parseAllDocuments } from 'yaml';
import { ClusterAccess } from '#operator/kubernetes/cluster-access.js';
import { KubeClient } from '#operator/kubernetes/kube-client.js';
import { isKubeFault } from '#operator/kubernetes/kube-fault.js';
import { API_VERSION, RESOURCES, type CustomResource, type MirroredKind } from '#operator/manifest/resources.js';
import { collectionOf } from '#operator/mirror/cluster.js';
import type { LeaseTimes } from '#operator/kubernetes/leader-election.js';
import { startTestApi, type TestApi, type TestApiOptions } from '../api.js';
import { ChangeableServer } from '../mcp-servers/changeable.js';
import { until } from '../mcp-servers/until.js';
import { startTestOperator, type TestOperator } from '../operator.js';
import { operatorRoles } from '../chart/given-rights.js';
import { CHOICE_VARIABLE, GO_VARIABLE } from '../control-plane/needs.js';
import { startPlane, type TestPlane } from '../control-plane/plane.js';

/** An object as a person applies it. */
// eslint-disable-next-line typescript/no-explicit-any -- tests write manifests of any shape
type Manifest = any;

/** Whether operators have no more rights here than the chart gives: where the API server has RBAC, and Go the chart. */
const CHART_RIGHTS_COUNT = process.env[CHOICE_VARIABLE] === 'kube-apiserver' && process.env[GO_VARIABLE] === 'yes';

/** Leases of a test: a third of what they are. Shorter ones are lost where a machine is slow. */
export const QUICK_LEASE: LeaseTimes = { leaseMs: 5000, renewMs: 3500, retryMs: 200 };

/** A control plane with our CRDs, an API, a server, and operators that mirror. */
export class MirrorWorld {
  operator: TestOperator | null = null;
  #count = 0;

  private constructor(readonly plane: TestPlane, readonly api: TestApi, readonly server: ChangeableServer, readonly admin: KubeClient, private readonly access: ClusterAccess, readonly sql: Client) {}

  /** @param mirror the chart's value, by whose roles operators work on a real kube-apiserver */
  static async create({ watchCache = true, api: settings, mirror = { clusterWide: true } }: { watchCache?: boolean; api?: TestApiOptions; mirror?: { namespaces?: readonly string[] } & Record<string, unknown> } = {}): Promise<MirrorWorld> {
    const [plane, api, server] = await Promise.all([startPlane({ watchCache, rbac: CHART_RIGHTS_COUNT }), startTestApi(settings), ChangeableServer.start()]);
    const access = await ClusterAccess.load({ file: plane.kubeconfig('admin') });
    const sql = new Client({ connectionString: api.databaseUrl });
    await sql.connect();
    const world = new MirrorWorld(plane, api, server, new KubeClient({ access, userAgent: 'test' }), access, sql);
    await world.applyCrds();
    await world.giveRights(mirror);
    return world;
  }

  async close(): Promise<void> {
    await this.operator?.stop();
    await this.sql.end();
    await this.access.close();
    await this.api.stop();
    await this.server.stop();
    await this.plane.stop();
  }

  async startOperator(env: Record<string, string> = {}, print?: (line: string) => void): Promise<TestOperator> {
    this.operator = await this.anotherOperator(env, print);
    return this.operator;
  }

  anotherOperator(env: Record<string, string> = {}, print?: (line: string) => void, leaseTimes: Partial<LeaseTimes> = QUICK_LEASE): Promise<TestOperator> {
    return startTestOperator(this.api, { env: { FAIRLEAD_MIRROR: 'on', FAIRLEAD_KUBECONFIG: this.plane.kubeconfig('operator'), ...env }, leaseTimes, print });
  }

  async stopOperator(): Promise<void> {
    await this.operator?.stop();
    this.operator = null;
  }

  /** Applies the operator's roles, as the chart has them with this value of `mirror`, and the namespaces that it names. Nothing, where rights don't count. */
  async giveRights(mirror: { namespaces?: readonly string[] } & Record<string, unknown>): Promise<void> {
    if (!CHART_RIGHTS_COUNT) return;
    for (const name of mirror.namespaces ?? []) await this.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    for (const object of await operatorRoles(mirror)) await this.apply(object, 'helm');
  }

  async applyCrds(): Promise<void> {
    for (const kind of ['ConnectionType', 'Enrollment'] as const) {
      await this.apply(parseAllDocuments(readFileSync(`schema/crds/${RESOURCES[kind]}.fairlead.dev.yaml`, 'utf8'))[0]!.toJS());
      await until(async () => (await this.admin.send<{ items: unknown[] }>({ method: 'GET', path: collectionOf(kind, 'default') }).catch(() => null)) !== null);
    }
  }

  /** A namespace that nothing is in; labelled, it makes a team of its name. */
  async namespace(label: 'LABELLED' | 'PLAIN' = 'LABELLED'): Promise<string> {
    const name = `ns-${++this.#count}`;
    await this.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, ...(label === 'LABELLED' && { labels: { 'fairlead.dev/team': name } }) } });
    if (label === 'LABELLED') {
      await until(async () => (await this.rows('select 1 from mirror_namespaces where namespace = $1 and state = $2', [name, 'BOUND'])).length === 1);
      // The local administrator administers what was made in this test.
      const [admin] = await this.rows(`select m.subject from members m join teams t on t.id = m.team_id where t.slug = 'default' and m.role = 'ADMIN' limit 1`);
      await this.api.must('SetMember', { input: { team: name, subject: admin!['subject'], role: 'ADMIN', local: true } });
    }
    return name;
  }

  /** As `kubectl apply --server-side`. Throws `Refused` with the API server's words. */
  async apply(object: Manifest, manager = 'kubectl'): Promise<CustomResource> {
    const { status, body } = await this.raw('PATCH', pathOf(object), object, { fieldManager: manager, force: 'true' }, 'application/apply-patch+yaml');
    if (status >= 300) throw new Refused((body as { message: string }).message);
    return body as CustomResource;
  }

  async get(kind: MirroredKind, namespace: string, name: string): Promise<Manifest | null> {
    return this.admin.send<Manifest>({ method: 'GET', path: `${collectionOf(kind, namespace)}/${name}` }).catch((error: unknown) => {
      if (isKubeFault(error, 'NOT_FOUND')) return null;
      throw error;
    });
  }

  async list(kind: MirroredKind, namespace: string): Promise<CustomResource[]> {
    return (await this.admin.send<{ items: CustomResource[] }>({ method: 'GET', path: collectionOf(kind, namespace) })).items;
  }

  async delete(kind: MirroredKind, namespace: string, name: string): Promise<void> {
    await this.admin.send({ method: 'DELETE', path: `${collectionOf(kind, namespace)}/${name}` });
  }

  async deleteAll(kind: MirroredKind, namespace: string): Promise<void> {
    await this.admin.send({ method: 'DELETE', path: collectionOf(kind, namespace) });
  }

  /** Until it is gone from the cluster. */
  gone(kind: MirroredKind, namespace: string, name: string): Promise<void> {
    return until(async () => (await this.get(kind, namespace, name)) === null);
  }

  /** The object, when a condition of it has that reason, of its present generation. */
  async when(kind: MirroredKind, namespace: string, name: string, type: string, reason: string): Promise<Manifest> {
    let object: Manifest = null;
    await until(async () => {
      object = await this.get(kind, namespace, name);
      return object?.status?.observedGeneration === object?.metadata.generation && conditionOf(object, type)?.reason === reason;
    });
    return object;
  }

  /** A ConnectionType manifest of the test's server. */
  type(namespace: string, name: string, spec: object = {}, metadata: object = {}): Manifest {
    return { apiVersion: API_VERSION, kind: 'ConnectionType', metadata: { name, namespace, ...metadata }, spec: { displayName: name, serverUrl: this.server.url, authMethod: 'NONE', ...spec } };
  }

  enrollment(namespace: string, name: string, type: string, spec: object = {}, metadata: object = {}): Manifest {
    return { apiVersion: API_VERSION, kind: 'Enrollment', metadata: { name, namespace, ...metadata }, spec: { connectionTypeRef: { name: type }, owner: 'robot', ...spec } };
  }

  /** A Secret for credentials. */
  secret(namespace: string, name: string, data: Record<string, string>, labels: Record<string, string> = { 'fairlead.dev/credential': 'true' }): Manifest {
    return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace, labels }, type: 'Opaque', data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])) };
  }

  async events(namespace: string): Promise<{ reason: string; note: string; regarding: { name: string }; series?: { count: number } }[]> {
    return (await this.admin.send<{ items: never[] }>({ method: 'GET', path: `/apis/events.k8s.io/v1/namespaces/${namespace}/events` })).items;
  }

  async rows(statement: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    return (await this.sql.query(statement, values)).rows as Record<string, unknown>[];
  }

  /** When everything that is due has been done. */
  settled(): Promise<void> {
    return until(async () => (await this.rows('select 1 from reconcile_schedule where worker is not null or due <= clock_timestamp()')).length === 0);
  }

  async raw(method: 'PATCH' | 'POST' | 'PUT', path: string, object: object, query: Record<string, string> = {}, contentType = 'application/json'): Promise<{ status: number; body: unknown }> {
    const { server, headers, dispatcher } = await this.access.next();
    const { request } = await import('undici');
    const answer = await request(`${server}${path}?${new URLSearchParams(query).toString()}`, { method, dispatcher, headers: { ...headers, 'content-type': contentType }, body: JSON.stringify(object) });
    return { status: answer.statusCode, body: await answer.body.json() };
  }
}

/** The API server said no. */
export class Refused extends Error {}

/** A condition of a status. */
export function conditionOf(object: Manifest, type: string): { type: string; status: string; reason: string; message: string; lastTransitionTime: string } | undefined {
  return object?.status?.conditions?.find((one: { type: string }) => one.type === type);
}

const PLURALS: Record<string, string> = {
  Namespace: 'namespaces', Secret: 'secrets', CustomResourceDefinition: 'customresourcedefinitions', Role: 'roles', RoleBinding: 'rolebindings', ClusterRole: 'clusterroles', ClusterRoleBinding: 'clusterrolebindings', ...RESOURCES,
};

function pathOf({ apiVersion, kind, metadata }: Manifest): string {
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  return `${root}${metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`}/${PLURALS[kind]}/${metadata.name}`;
}

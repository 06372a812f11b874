import { request } from 'undici';
import { ClusterAccess } from '#operator/kubernetes/cluster-access.js';
import { startPlane, type TestPlane } from '../control-plane/plane.js';
import type { KubeObject } from './tools.js';

/** A control plane as people see it who have the chart. */
export class Cluster {
  readonly #resources = new Map<string, { name: string; namespaced: boolean }>();

  private constructor(readonly plane: TestPlane, private readonly access: ClusterAccess) {}

  /** With namespaces to install into, and to mirror. @param rbac as for {@link startPlane} */
  static async start({ rbac = false } = {}): Promise<Cluster> {
    const plane = await startPlane({ rbac });
    const cluster = new Cluster(plane, await ClusterAccess.load({ file: plane.kubeconfig('admin') }));
    for (const name of ['fairlead', 'logistics', 'finance']) await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    return cluster;
  }

  async stop(): Promise<void> {
    await this.access.close();
    await this.plane.stop();
  }

  /** One request, as an administrator or on behalf of somebody. */
  async send(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, { body, contentType = 'application/json', as }: { body?: object; contentType?: string; as?: string } = {}): Promise<{ status: number; body: KubeObject }> {
    const { server, headers, dispatcher } = await this.access.next();
    const answer = await request(`${server}${path}`, { method, dispatcher, headers: { ...headers, 'content-type': contentType, ...(as !== undefined && { 'Impersonate-User': as }) }, ...(body !== undefined && { body: JSON.stringify(body) }) });
    const text = await answer.body.text();
    // A group that isn't there is answered in plain text.
    return { status: answer.statusCode, body: (text.startsWith('{') ? JSON.parse(text) : { message: text }) as KubeObject };
  }

  /** As `kubectl apply --server-side --validate=strict`. Answers what the API server has against it, or '' . Null: it doesn't serve the kind. */
  async apply(object: KubeObject, dryRun: 'All' | '' = ''): Promise<string | null> {
    const path = await this.pathOf(object);
    if (path === null) return null;
    const query = new URLSearchParams({ fieldManager: 'helm', force: 'true', fieldValidation: 'Strict', ...(dryRun !== '' && { dryRun }) });
    const { status, body } = await this.send('PATCH', `${path}?${query.toString()}`, { body: object, contentType: 'application/apply-patch+yaml' });
    return status < 300 ? '' : `${object.kind} ${object.metadata.name}: ${String(body['message'])}`;
  }

  /** Where an object is. Null: its kind isn't served. */
  async pathOf({ apiVersion, kind, metadata }: KubeObject): Promise<string | null> {
    const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
    const key = `${apiVersion} ${kind}`;
    if (!this.#resources.has(key)) {
      const { body } = await this.send('GET', root);
      for (const one of (body['resources'] ?? []) as { kind: string; name: string; namespaced: boolean }[]) if (!one.name.includes('/')) this.#resources.set(`${apiVersion} ${one.kind}`, one);
    }
    const resource = this.#resources.get(key);
    return resource === undefined ? null : `${root}${resource.namespaced ? `/namespaces/${metadata.namespace}` : ''}/${resource.name}/${metadata.name}`;
  }
}

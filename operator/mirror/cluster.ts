import type { KubeClient } from '../kubernetes/kube-client.js';
import { isKubeFault } from '../kubernetes/kube-fault.js';
import { API_VERSION, CREDENTIAL_LABEL, CREDENTIAL_SERVERS_ANNOTATION, FINALIZER, GROUP, RESOURCES, VERSION, type CustomResource, type MirroredKind } from '../manifest/resources.js';
import { sameStatus } from './conditions.js';
import type { ObjectCache } from './object-cache.js';

/** A namespace, as far as the mirror goes. */
export interface Namespace {
  metadata: { name: string; uid: string; resourceVersion: string; labels?: Record<string, string>; deletionTimestamp?: string };
}

/**
 * What a read of a Secret shows; its values are not to be logged. `servers`: the addresses that it names itself; null where it names none. Why it isn't used: there is none, it hasn't our label, it is the
 * token of a service account, or we may not read it.
 */
export type SecretAnswer = { found: true; data: ReadonlyMap<string, string>; servers: string[] | null } | { found: false; why: 'MISSING' | 'UNLABELLED' | 'SERVICE_ACCOUNT' | 'FORBIDDEN' };

interface Secret {
  metadata: { labels?: Record<string, string>; annotations?: Record<string, string> };
  type?: string;
  data?: Record<string, string>;
}

/** As the API server has names of Secrets: nothing else of a path can be asked for by one. */
const SECRET_NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;

const APPLY = 'application/apply-patch+yaml';
/** Field managers: one of specs, one of status. */
const MANAGER = 'fairlead-mirror';
const STATUS_MANAGER = 'fairlead-status';

/** What the mirror does to a cluster: one method, one request, and what comes back goes into the cache. */
export class Cluster {
  /** Questions under way, shared by all who ask meanwhile; an answer is of no use to who asks later. */
  readonly #vanishing = new Map<string, Promise<boolean>>();

  constructor(private readonly client: KubeClient, private readonly cache: ObjectCache) {}

  /** The uid by which a cluster is told from another one. */
  async uid(signal?: AbortSignal): Promise<string> {
    return (await this.client.send<Namespace>({ method: 'GET', path: '/api/v1/namespaces/kube-system', signal })).metadata.uid;
  }

  /**
   * Applies a mirror server-side. With the uid that it is bound to, so that it can't bring back what was deleted; without one it is to be made. Answers whether it was made.
   * Throws CONFLICT or INVALID where another owner's object stands in its place.
   */
  async apply(kind: MirroredKind, at: { namespace: string; name: string; uid: string | null }, annotations: Record<string, string>, spec: object): Promise<{ object: CustomResource; made: boolean }> {
    const { namespace, name, uid } = at;
    const { status, body } = await this.client.sendForStatus<CustomResource>({
      method: 'PATCH', path: pathOf(kind, namespace, name), contentType: APPLY, query: { fieldManager: MANAGER, force: String(uid !== null), fieldValidation: 'Strict' },
      body: { apiVersion: API_VERSION, kind, metadata: { name, namespace, annotations, ...(uid !== null && { uid }) }, spec },
    });
    this.cache.changed({ ...body, kind });
    return { object: body, made: status === 201 };
  }

  /** Takes out what others put into a mirror: server-side apply leaves alone what it doesn't own. */
  async replaceSpec(kind: MirroredKind, object: CustomResource, spec: object): Promise<CustomResource> {
    const { namespace, name } = object.metadata;
    const body = await this.client.send<CustomResource>({ method: 'PUT', path: pathOf(kind, namespace, name), query: { fieldManager: MANAGER }, body: { ...object, apiVersion: API_VERSION, kind, spec } });
    this.cache.changed({ ...body, kind });
    return body;
  }

  /** Writes the status of the state that was reconciled: CONFLICT when it has moved on. What others wrote into it goes. */
  async applyStatus(object: CustomResource, status: object): Promise<void> {
    const { name, namespace, resourceVersion } = object.metadata;
    const kind = object.kind as MirroredKind;
    const path = `${pathOf(kind, namespace, name)}/status`;
    let body = await this.client.send<CustomResource>({
      method: 'PATCH', path, contentType: APPLY, query: { fieldManager: STATUS_MANAGER, force: 'true' }, body: { apiVersion: API_VERSION, kind, metadata: { name, namespace, resourceVersion }, status },
    });
    // Server-side apply leaves alone what it doesn't own: a link, say, that somebody put where ours would be.
    if (!sameStatus(body.status, status)) {
      body = await this.client.send<CustomResource>({ method: 'PATCH', path, contentType: 'application/json-patch+json', query: { fieldManager: STATUS_MANAGER }, body: [{ op: 'replace', path: '/status', value: status }] });
    }
    this.cache.changed({ ...body, kind });
  }

  /** Has the API server keep the object until its deletion is on record. */
  async addFinalizer(object: CustomResource): Promise<CustomResource> {
    return this.#setFinalizers(object, [...(object.metadata.finalizers ?? []), FINALIZER]);
  }

  /** Lets the object go. One that is gone is no error. */
  async releaseFinalizer(object: CustomResource): Promise<void> {
    if (!(object.metadata.finalizers ?? []).includes(FINALIZER)) return;
    try {
      await this.#setFinalizers(object, object.metadata.finalizers!.filter((one) => one !== FINALIZER));
    } catch (error) {
      if (!isKubeFault(error, 'NOT_FOUND')) throw error;
    }
  }

  /** Deletes the object of that uid. One that is gone, or is another by now, is no error. */
  async delete(object: CustomResource): Promise<void> {
    const { namespace, name, uid } = object.metadata;
    try {
      await this.client.send({ method: 'DELETE', path: pathOf(object.kind as MirroredKind, namespace, name), body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } } });
    } catch (error) {
      if (!isKubeFault(error, 'NOT_FOUND', 'CONFLICT')) throw error;
    }
    this.cache.deleted(object);
  }

  /** Reads a Secret by its name; one without our label isn't used, and a service account's token isn't whoever labelled it: the cluster fills it in for everybody who may make a Secret. */
  async secret(namespace: string, name: string): Promise<SecretAnswer> {
    if (!SECRET_NAME.test(name)) return { found: false, why: 'MISSING' };
    try {
      const { metadata, type, data = {} } = await this.client.send<Secret>({ method: 'GET', path: `/api/v1/namespaces/${namespace}/secrets/${name}` });
      if (metadata.labels?.[CREDENTIAL_LABEL] !== 'true') return { found: false, why: 'UNLABELLED' };
      if (type === 'kubernetes.io/service-account-token') return { found: false, why: 'SERVICE_ACCOUNT' };
      const servers = metadata.annotations?.[CREDENTIAL_SERVERS_ANNOTATION]?.split(/[\s,]+/).filter((server) => server !== '') ?? null;
      return { found: true, servers, data: new Map(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')])) };
    } catch (error) {
      if (isKubeFault(error, 'NOT_FOUND')) return { found: false, why: 'MISSING' };
      if (isKubeFault(error, 'FORBIDDEN') && error.status === 403) return { found: false, why: 'FORBIDDEN' };
      throw error;
    }
  }

  /**
   * Whether the CRD itself is being deleted, which takes every object along: that says nothing about any of them. Asked by making one, only to look (dry run): an API server
   * refuses that while the CRD goes.
   */
  vanishing(kind: MirroredKind, namespace: string): Promise<boolean> {
    const key = `${kind} ${namespace}`;
    const asked = this.#vanishing.get(key) ?? this.#askVanishing(kind, namespace).finally(() => this.#vanishing.delete(key));
    this.#vanishing.set(key, asked);
    return asked;
  }

  async #askVanishing(kind: MirroredKind, namespace: string): Promise<boolean> {
    const spec = kind === 'ConnectionType' ? { displayName: 'x', serverUrl: 'https://example.com/', authMethod: 'NONE' } : { connectionTypeRef: { name: 'x' }, owner: 'x' };
    try {
      await this.client.send({
        method: 'POST', path: collectionOf(kind, namespace), query: { dryRun: 'All', fieldManager: MANAGER },
        body: { apiVersion: API_VERSION, kind, metadata: { generateName: 'fairlead-look-' }, spec },
      });
      return false;
    } catch (error) {
      if (isKubeFault(error) && (error.definitionGoes || error.code === 'NOT_FOUND')) return true;
      // A namespace that is being deleted forbids it: then its objects are meant. An API server that asked for our rights first says nothing of them.
      if (isKubeFault(error) && error.withoutRight) throw error;
      if (isKubeFault(error, 'FORBIDDEN', 'INVALID', 'CONFLICT', 'ALREADY_EXISTS')) return false;
      throw error;
    }
  }

  async #setFinalizers(object: CustomResource, finalizers: string[]): Promise<CustomResource> {
    const { namespace, name, uid, resourceVersion } = object.metadata;
    const body = await this.client.send<CustomResource>({
      method: 'PATCH', path: pathOf(object.kind as MirroredKind, namespace, name), contentType: 'application/merge-patch+json', query: { fieldManager: MANAGER },
      body: { metadata: { uid, resourceVersion, finalizers } },
    });
    this.cache.changed({ ...body, kind: object.kind });
    return { ...body, kind: object.kind };
  }
}

/** The path of a collection; of all namespaces without one. */
export function collectionOf(kind: MirroredKind, namespace: string | null): string {
  return `/apis/${GROUP}/${VERSION}${namespace === null ? '' : `/namespaces/${namespace}`}/${RESOURCES[kind]}`;
}

function pathOf(kind: MirroredKind, namespace: string, name: string): string {
  return `${collectionOf(kind, namespace)}/${name}`;
}

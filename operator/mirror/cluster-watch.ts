import type { Logger } from '#core/log.js';
import type { KubeClient } from '../kubernetes/kube-client.js';
import { Reflector } from '../kubernetes/reflector.js';
import { MIRRORED_KINDS, type CustomResource, type MirroredKind } from '../manifest/resources.js';
import { collectionOf, type Namespace } from './cluster.js';
import type { Marker } from './marker.js';
import type { NamespaceBinder } from './namespace-binder.js';
import type { ObjectCache } from './object-cache.js';

/** What {@link ClusterWatch} is built of. */
export interface ClusterWatchOptions {
  client: KubeClient;
  cache: ObjectCache;
  binder: NamespaceBinder;
  /** Null: nothing is noted, only looked at. */
  marker: Marker | null;
  /** What the mirror knows that can't be seen any more is to be looked at too: called after each complete list, and when a resource is missing. */
  swept: (kind: MirroredKind, scope: string | null) => void;
  /** Null: all of the cluster. */
  namespaces: readonly string[] | null;
  logger: Logger;
  random: () => number;
}

/** Follows the namespaces and the custom resources of a cluster. */
export class ClusterWatch {
  readonly #namespaces: Reflector<Namespace>;
  readonly #objects: Reflector<CustomResource>[];
  #namespacesListed!: () => void;
  readonly #listed = new Promise<void>((resolve) => { this.#namespacesListed = resolve; });

  constructor(private readonly options: ClusterWatchOptions) {
    const { client, binder, marker, logger, random } = options;
    this.#namespaces = new Reflector<Namespace>({
      client, logger, random, path: '/api/v1/namespaces',
      handlers: {
        listed: (items) => {
          for (const name of binder.listed(items)) marker?.namespace(name);
          this.#namespacesListed();
        },
        changed: (namespace) => {
          binder.changed(namespace);
          marker?.namespace(namespace.metadata.name);
        },
        deleted: (namespace) => {
          binder.deleted(namespace);
          marker?.namespace(namespace.metadata.name);
        },
        resourceMissing: () => undefined,
      },
    });
    const scopes = options.namespaces ?? [null];
    this.#objects = scopes.flatMap((scope) => MIRRORED_KINDS.map((kind) => this.#reflector(kind, scope)));
  }

  /** Resolves when everything was listed once, or is known not to be there. */
  async start(signal: AbortSignal): Promise<void> {
    this.#namespaces.start();
    await Promise.race([this.#listed, new Promise<void>((resolve) => { signal.addEventListener('abort', () => resolve(), { once: true }); })]);
    for (const reflector of this.#objects) reflector.start();
    while (!this.options.cache.settled && !signal.aborted) await new Promise((resolve) => { setTimeout(resolve, 20); });
  }

  async stop(): Promise<void> {
    await Promise.all([this.#namespaces, ...this.#objects].map((reflector) => reflector.stop()));
  }

  #reflector(kind: MirroredKind, scope: string | null): Reflector<CustomResource> {
    const { client, cache, marker, logger, random, swept } = this.options;
    const mark = ({ metadata: { namespace, name } }: CustomResource): void => marker?.object({ kind, namespace, name });
    return new Reflector<CustomResource>({
      client, logger, random, path: collectionOf(kind, scope),
      handlers: {
        listed: (items) => {
          const { changed, gone } = cache.listed(kind, scope, items);
          for (const object of [...changed, ...gone]) mark(object);
          swept(kind, scope);
        },
        changed: (object) => {
          if (cache.changed({ ...object, kind })) mark(object);
        },
        deleted: (object) => {
          cache.deleted({ ...object, kind });
          mark(object);
        },
        resourceMissing: () => {
          cache.missing(kind, scope);
          swept(kind, scope);
        },
      },
    });
  }
}

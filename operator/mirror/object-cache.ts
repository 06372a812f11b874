import type { CustomResource, MirroredKind } from '../manifest/resources.js';

/** What is known of a collection: nothing yet, all of it, or that there is none (404: its CRD isn't there). */
export type CollectionState = 'UNKNOWN' | 'COMPLETE' | 'MISSING';

const MOST_GONE = 10_000;

/** The custom resources as the API server last said they are. Written by reflectors and by the answers to our own writes; what it gives is not to be changed. */
export class ObjectCache {
  readonly #objects = new Map<string, CustomResource>();
  readonly #collections = new Map<string, CollectionState>();
  /** Uids of what is gone, newest last: an answer to a write of ours may come after the watch has said so. */
  readonly #gone = new Set<string>();

  /** @param scopes the namespaces that are followed; null: all of them, as one */
  constructor(private readonly scopes: readonly string[] | null) {}

  get(kind: MirroredKind, namespace: string, name: string): CustomResource | null {
    return this.#objects.get(keyOf(kind, namespace, name)) ?? null;
  }

  all(): CustomResource[] {
    return [...this.#objects.values()];
  }

  /** Of the collection that the object would be in. */
  collection(kind: MirroredKind, namespace: string): CollectionState {
    if (this.scopes !== null && !this.scopes.includes(namespace)) return 'MISSING';
    return this.#collections.get(`${kind} ${this.scopes === null ? '' : namespace}`) ?? 'UNKNOWN';
  }

  /** Whether every collection is known to be complete, or not to be there. */
  get settled(): boolean {
    return this.#collections.size === 2 * (this.scopes?.length ?? 1);
  }

  /** Takes a complete list; answers the objects that changed, and those that are gone. */
  listed(kind: MirroredKind, scope: string | null, items: readonly CustomResource[]): { changed: CustomResource[]; gone: CustomResource[] } {
    this.#collections.set(`${kind} ${scope ?? ''}`, 'COMPLETE');
    // A complete list is newer than whatever was seen before it.
    for (const { metadata } of items) this.#gone.delete(metadata.uid);
    const there = new Set(items.map((item) => keyOf(kind, item.metadata.namespace, item.metadata.name)));
    const gone = this.all().filter((one) => one.kind === kind && (scope === null || one.metadata.namespace === scope) && !there.has(keyOf(kind, one.metadata.namespace, one.metadata.name)));
    for (const object of gone) this.deleted(object);
    return { changed: items.filter((item) => this.changed({ ...item, kind })), gone };
  }

  /** Takes one object; whether it is news. */
  changed(object: CustomResource): boolean {
    if (this.#gone.has(object.metadata.uid)) return false;
    const key = keyOf(object.kind as MirroredKind, object.metadata.namespace, object.metadata.name);
    const known = this.#objects.get(key);
    if (known?.metadata.uid === object.metadata.uid && BigInt(known.metadata.resourceVersion) >= BigInt(object.metadata.resourceVersion)) return false;
    this.#objects.set(key, object);
    return true;
  }

  /** One object is gone; not another one of its name that is there by now. */
  deleted(object: CustomResource): boolean {
    this.#gone.add(object.metadata.uid);
    if (this.#gone.size > MOST_GONE) this.#gone.delete(this.#gone.values().next().value!);
    const key = keyOf(object.kind as MirroredKind, object.metadata.namespace, object.metadata.name);
    if (this.#objects.get(key)?.metadata.uid !== object.metadata.uid) return false;
    return this.#objects.delete(key);
  }

  /** There is no such collection. Its objects may be the same ones when it is back: an API server that starts doesn't know its CRDs for a moment. */
  missing(kind: MirroredKind, scope: string | null): void {
    this.#collections.set(`${kind} ${scope ?? ''}`, 'MISSING');
    for (const object of this.all()) if (object.kind === kind && (scope === null || object.metadata.namespace === scope)) this.#objects.delete(keyOf(kind, object.metadata.namespace, object.metadata.name));
  }
}

function keyOf(kind: MirroredKind, namespace: string, name: string): string {
  return `${kind} ${namespace}/${name}`;
}

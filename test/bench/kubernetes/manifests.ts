import { randomBytes } from 'node:crypto';
import { API_VERSION } from '#operator/manifest/resources.js';

/** The namespace of the benchmark, its team, and the machine user that owns every enrollment. */
export const NAMESPACE = 'bench';
export const OWNER = 'robot';

/** One ConnectionType with its Enrollment, both of the same name. */
export interface Pair {
  name: string;
  /** What the server takes, kept in a Secret; null for a server that wants nothing. */
  token: string | null;
}

/** Every second server wants a credential of its own. */
export function makePairs(count: number): Pair[] {
  return Array.from({ length: count }, (_one, index) => ({ name: `server-${index}`, token: index % 2 === 0 ? null : `bench-${randomBytes(16).toString('hex')}` }));
}

/** What is applied before the clock runs: the Secrets. */
export function secretsOf(pairs: readonly Pair[]): object[] {
  return pairs.filter(({ token }) => token !== null).map(({ name, token }) => ({
    apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: NAMESPACE, labels: { 'fairlead.dev/credential': 'true' } }, type: 'Opaque', data: { token: Buffer.from(token!).toString('base64') },
  }));
}

/** The manifests of a pair. */
export function manifestsOf({ name, token }: Pair, serverUrl: string): object[] {
  const metadata = { name, namespace: NAMESPACE };
  const authMethod = token === null ? 'NONE' : 'ACCESS_TOKEN';
  return [
    { apiVersion: API_VERSION, kind: 'ConnectionType', metadata, spec: { displayName: name, serverUrl, authMethod } },
    { apiVersion: API_VERSION, kind: 'Enrollment', metadata, spec: { connectionTypeRef: { name }, owner: OWNER, shared: true, ...(token !== null && { serverUrl, accessTokenRef: { name, key: 'token' } }) } },
  ];
}

/** The same in an order of chance: enrollments come before their types, too. */
export function shuffled<T>(items: readonly T[]): T[] {
  return items.map((item) => ({ item, place: Math.random() })).toSorted((one, other) => one.place - other.place).map(({ item }) => item);
}

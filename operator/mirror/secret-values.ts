import type { SecretKeyRef } from '../manifest/references.js';
import { CREDENTIAL_LABEL } from '../manifest/resources.js';
import type { Cluster } from './cluster.js';
import { waiting, type Verdict } from './conditions.js';

/** How often Secrets are read when nothing else asks for it. */
export const SECRET_POLL_MS = 5 * 60_000;
const FIRST_RETRY_MS = 2000;
/** A person who mends a Secret waits for it. */
const LONGEST_RETRY_MS = 30_000;

/** When Secrets that were of no use are read again: at once at first, since they may be applied in the same breath, and soon later on. */
export function secretRetryMs(failures: number): number {
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10));
}

/** The values of references, in their order; or what is wrong. Each Secret is read once. */
export async function secretValues(cluster: Cluster, namespace: string, refs: readonly SecretKeyRef[]): Promise<{ values: string[] } | { verdict: Verdict }> {
  const secrets = new Map<string, ReadonlyMap<string, string>>();
  for (const name of new Set(refs.map((ref) => ref.name))) {
    const secret = await cluster.secret(namespace, name);
    if (!secret.found) return { verdict: waiting(secret.reason, secret.reason === 'SecretNotFound' ? `There is no Secret ${JSON.stringify(name)} in this namespace: create it, with the label ${CREDENTIAL_LABEL}: "true".` : `The Secret ${JSON.stringify(name)} isn't for credentials: whoever may change it labels it ${CREDENTIAL_LABEL}: "true".`) };
    secrets.set(name, secret.data);
  }
  const values: string[] = [];
  for (const { name, key } of refs) {
    // `kubectl create secret --from-file` keeps the newline at the end of a file.
    const value = secrets.get(name)?.get(key)?.replace(/\r?\n$/, '');
    if (value === undefined || value === '') return { verdict: waiting('SecretKeyNotFound', `The Secret ${JSON.stringify(name)} has no value under the key ${JSON.stringify(key)}.`) };
    values.push(value);
  }
  return { values };
}

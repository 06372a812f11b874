import { targetUrl } from '#core/connection/target.js';
import type { SecretKeyRef } from '../manifest/references.js';
import { CREDENTIAL_LABEL, CREDENTIAL_SERVERS_ANNOTATION } from '../manifest/resources.js';
import type { Cluster, SecretAnswer } from './cluster.js';
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

/** The values of references, in their order, for use at the server of that address; or what is wrong. Each Secret is read once. */
export async function secretValues(cluster: Cluster, { namespace, serverUrl }: { namespace: string; serverUrl: string }, refs: readonly SecretKeyRef[]): Promise<{ values: string[] } | { verdict: Verdict }> {
  const secrets = new Map<string, ReadonlyMap<string, string>>();
  for (const name of new Set(refs.map((ref) => ref.name))) {
    const secret = await cluster.secret(namespace, name);
    if (!secret.found) return { verdict: NOT_USED[secret.why](JSON.stringify(name)) };
    if (secret.servers?.some((server) => URL.canParse(server) && targetUrl(server) === targetUrl(serverUrl)) === false) {
      return { verdict: waiting('SecretNotAllowed', `The Secret ${JSON.stringify(name)} isn't for ${serverUrl}: whoever may change it names that address in its annotation ${CREDENTIAL_SERVERS_ANNOTATION}, too, or takes the annotation away.`) };
    }
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

/** Why a Secret of that name (quoted) isn't used. */
const NOT_USED: Record<Extract<SecretAnswer, { found: false }>['why'], (name: string) => Verdict> = {
  MISSING: (name) => waiting('SecretNotFound', `There is no Secret ${name} in this namespace: create it, with the label ${CREDENTIAL_LABEL}: "true".`),
  UNLABELLED: (name) => waiting('SecretNotAllowed', `The Secret ${name} isn't for credentials: whoever may change it labels it ${CREDENTIAL_LABEL}: "true".`),
  SERVICE_ACCOUNT: (name) => waiting('SecretNotAllowed', `The Secret ${name} holds the token of a service account of this cluster, which is sent nowhere: put the server's own credential into another one.`),
  FORBIDDEN: (name) => waiting('SecretForbidden', `Fairlead may not read the Secret ${name}: an administrator of the cluster lets its operator get Secrets in this namespace (the chart does, for the namespaces in mirror.namespaces).`),
};

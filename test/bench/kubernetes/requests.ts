import { GROUP } from '#operator/manifest/resources.js';
import type { LoggedRequest } from '#test/support/control-plane/request-log.js';

/** What the operator asked of the API server, without watches and leases. */
export interface Spent {
  /** By object (`connectiontypes/name`); the reads of Secrets are those of the Enrollment of that name. */
  byObject: ReadonlyMap<string, number>;
  /** By what was asked, such as `patch connectiontypes/status`; the most frequent first. */
  byKind: readonly (readonly [kind: string, count: number])[];
  secretReads: number;
  /** All but complete lists. */
  total: number;
  /** Of all, those that were answered with a failure. */
  failed: number;
  writes: number;
}

/** Counts the requests of the operator. */
export function spentBy(requests: readonly LoggedRequest[]): Spent {
  const asked = requests.filter(({ user, verb, resource }) => user.includes('operator') && verb !== 'watch' && verb !== 'list' && resource !== 'leases');
  const byObject = new Map<string, number>();
  const byKind = new Map<string, number>();
  const raise = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
  for (const { group, resource, name, verb, subresource } of asked) {
    if (group === GROUP && name !== '') raise(byObject, `${resource}/${name}`);
    else if (resource === 'secrets') raise(byObject, `enrollments/${name}`);
    raise(byKind, `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}`);
  }
  return {
    byObject, byKind: [...byKind].toSorted(([, one], [, other]) => other - one), total: asked.length,
    secretReads: asked.filter(({ resource }) => resource === 'secrets').length,
    failed: asked.filter(({ status }) => status >= 400).length,
    writes: asked.filter(({ verb }) => verb !== 'get').length,
  };
}

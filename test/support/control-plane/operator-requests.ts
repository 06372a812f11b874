import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { AskedRight } from '../chart/rights.js';
import type { LoggedRequest } from './request-log.js';

/** Where the setup tells the workers to note what operators asked of control planes. */
export const REQUESTS_VARIABLE = 'TEST_OPERATOR_REQUESTS';

/** What RBAC refused them, as `verb resource in namespace`. What it let through too isn't meant: an API server that has just started knows no roles for a moment. */
export function refusedToOperators(requests: readonly LoggedRequest[]): string[] {
  const said = (forbidden: boolean) => new Set(byOperators(requests).filter((one) => one.forbidden === forbidden)
    .map(({ verb, group, resource, subresource, namespace }) => `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`} in ${namespace === '' ? 'the cluster' : namespace}`));
  const allowed = said(false);
  return [...said(true)].filter((one) => !allowed.has(one));
}

/** Those that our programs sent that act in clusters. */
function byOperators(requests: readonly LoggedRequest[]): LoggedRequest[] {
  return requests.filter(({ userAgent, resource }) => /^fairlead-(operator|release)\//.test(userAgent) && resource !== '');
}

/** What a request of an operator takes a right for. Server-side apply that makes an object takes that of making it, too. */
export function askedRights(requests: readonly LoggedRequest[]): AskedRight[] {
  const distinct = new Map<string, AskedRight>();
  for (const { verb, group, resource, subresource, namespace, name, status } of byOperators(requests)) {
    const verbs = verb === 'patch' && status === 201 ? ['patch', 'create'] : [verb];
    for (const one of verbs) {
      const right: AskedRight = { verb: one, group, resource: subresource === '' ? resource : `${resource}/${subresource}`, namespace, name };
      distinct.set(JSON.stringify(right), right);
    }
  }
  return [...distinct.values()];
}

/** Notes, for the end of the run, what operators asked of a control plane. */
export function noteOperatorRequests(requests: readonly LoggedRequest[]): void {
  const file = process.env[REQUESTS_VARIABLE];
  // Names tell apart only where a rule names them; noting all of a thousand objects would say nothing more.
  const lines = new Set(askedRights(requests).map((right) => JSON.stringify(NAMED.includes(right.resource) ? right : { ...right, name: '' })));
  if (file !== undefined && lines.size > 0) appendFileSync(file, `${[...lines].join('\n')}\n`);
}

/** Resources of which rules name single objects. */
const NAMED = ['leases', 'namespaces'];

/** All that was noted in this run. */
export function notedOperatorRequests(): AskedRight[] {
  const file = process.env[REQUESTS_VARIABLE];
  if (file === undefined || !existsSync(file)) return [];
  return [...new Set(readFileSync(file, 'utf8').split('\n').filter((line) => line !== ''))].map((line) => JSON.parse(line) as AskedRight);
}

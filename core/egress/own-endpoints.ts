import { networkInterfaces } from 'node:os';
import { isThisMachine, parseIp, sameIp, type Address, type Ip } from './address.js';
import type { DeniedEndpoint } from './policy.js';

/** Places of the installation that a configuration names: PostgreSQL, and the collector of traces where there is one. */
export function ownEndpoints(databaseUrl: string, traces: { url: string } | null): DeniedEndpoint[] {
  const database = new URL(databaseUrl);
  const endpoints = [{ host: plain(database.hostname) || '127.0.0.1', port: Number(database.port || 5432) }];
  if (traces !== null) {
    const collector = new URL(traces.url);
    endpoints.push({ host: plain(collector.hostname), port: Number(collector.port || (collector.protocol === 'https:' ? 443 : 80)) });
  }
  return endpoints;
}

/** Without the brackets of an IPv6 address. */
function plain(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/**
 * Whether an address and port are a denied endpoint that is given by a literal address or as localhost. A denied loopback or wildcard
 * address, or one of an interface of ours, stands for every address of this machine.
 */
export function isDeniedAddress(denied: readonly DeniedEndpoint[], ip: Ip, port: number): boolean {
  return denied.some((endpoint) => {
    const own = endpoint.port === port ? ownAddress(endpoint) : null;
    return own ? sameOrBothHere(own, ip) : false;
  });
}

/** As {@link isDeniedAddress}, also for endpoints given by name: they are resolved now, so that no other name or address leads there. */
export async function isDenied(
  denied: readonly DeniedEndpoint[], ip: Ip, port: number, resolve: (host: string) => Promise<Address[]>,
): Promise<boolean> {
  if (isDeniedAddress(denied, ip, port)) return true;
  for (const endpoint of denied) {
    if (endpoint.port !== port || ownAddress(endpoint)) continue;
    // A name of ours that doesn't resolve can't be reached by us either; refusing everything on its port would only hide the real fault.
    const answers = await resolve(endpoint.host).catch(() => []);
    if (answers.some(({ address }) => { const own = parseIp(address); return own ? sameOrBothHere(own, ip) : false; })) return true;
  }
  return false;
}

function ownAddress(endpoint: DeniedEndpoint): Ip | null {
  return parseIp(endpoint.host === 'localhost' ? '127.0.0.1' : endpoint.host);
}

function sameOrBothHere(own: Ip, ip: Ip): boolean {
  return sameIp(own, ip) || (belongsToThisMachine(own) && belongsToThisMachine(ip));
}

function belongsToThisMachine(ip: Ip): boolean {
  return isThisMachine(ip) || Object.values(networkInterfaces()).flat().some((entry) => {
    const own = entry ? parseIp(entry.address) : null;
    return own ? sameIp(own, ip) : false;
  });
}

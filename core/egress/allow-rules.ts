import { contains, parseCidr, parseIp, type Cidr, type Ip } from './address.js';

/** What an administrator admits although policy would refuse it: a host by name or literal address, on one port or all, or a block of addresses. */
export type AllowRule =
  | { kind: 'HOST'; host: string; port: number | null }
  | { kind: 'CIDR'; cidr: Cidr };

/** Everything that is wrong with `FAIRLEAD_EGRESS_ALLOW`, one sentence per entry. */
export class AllowRulesInvalid extends Error {
  override readonly name = 'AllowRulesInvalid';
  constructor(readonly faults: string[]) {
    super(faults.join('; '));
  }
}

/**
 * Reads `FAIRLEAD_EGRESS_ALLOW`: comma-separated hosts, `host:port`s and CIDRs; IPv6 with a port in brackets. Empty entries are skipped.
 * @throws {AllowRulesInvalid} with all faults at once
 */
export function parseAllowRules(text: string): AllowRule[] {
  const faults: string[] = [];
  const rules: AllowRule[] = [];
  for (const entry of text.split(',').map((part) => part.trim()).filter((part) => part !== '')) {
    const rule = entry.includes('/') ? cidrRule(entry) : hostRule(entry);
    if (typeof rule === 'string') faults.push(rule);
    else rules.push(rule);
  }
  if (faults.length > 0) throw new AllowRulesInvalid(faults);
  return rules;
}

/** Whether a host rule names this host, in the form of {@link canonicalHost}, on this port. */
export function hostAllowed(rules: readonly AllowRule[], host: string, port: number): boolean {
  return rules.some((rule) => rule.kind === 'HOST' && rule.host === host && (rule.port === null || rule.port === port));
}

/** Whether a CIDR rule contains this address. */
export function addressAllowed(rules: readonly AllowRule[], ip: Ip): boolean {
  return rules.some((rule) => rule.kind === 'CIDR' && contains(rule.cidr, ip));
}

/** `URL.hostname` without brackets and without the root's trailing dot: what rules compare. */
export function canonicalHost(hostname: string): string {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return bare.endsWith('.') ? bare.slice(0, -1) : bare;
}

function cidrRule(entry: string): AllowRule | string {
  const cidr = parseCidr(entry);
  if (cidr) return { kind: 'CIDR', cidr };
  if (entry.includes('://')) return `"${entry}" is a URL; give the host, host:port or CIDR only`;
  const [address, prefix] = entry.split('/');
  return parseIp(address!) && /^\d{1,3}$/.test(prefix!)
    ? `"${entry}" is not a CIDR: the prefix is too long, or bits below it are set`
    : `"${entry}" is not a CIDR such as 10.0.0.0/8 or fd00::/8`;
}

function hostRule(entry: string): AllowRule | string {
  if (entry.includes('*')) return `"${entry}" holds a wildcard; name each host, or give a CIDR`;
  if (/[@?#\\\s]/.test(entry)) return `"${entry}" is not a host or host:port`;
  const literal = parseIp(entry) && entry.includes(':') ? `[${entry}]` : entry;
  const port = /:(\d{1,5})$/.exec(literal.startsWith('[') ? literal.slice(literal.indexOf(']')) : literal)?.[1];
  const url = URL.parse(`http://${literal}/`);
  if (!url || url.hostname === '' || (port === undefined && url.port !== '')) return `"${entry}" is not a host or host:port`;
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535)) return `"${entry}" has a port outside 1 to 65535`;
  return { kind: 'HOST', host: canonicalHost(url.hostname), port: port === undefined ? null : Number(port) };
}

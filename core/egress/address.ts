import { isIPv4, isIPv6 } from 'node:net';

/** One answer of a resolver, in the form of `dns.lookup`. */
export interface Address {
  address: string;
  family: 4 | 6;
}

/** A parsed IP address. IPv4-mapped IPv6 is IPv4 here, so that no rule can be passed by spelling. */
export interface Ip {
  family: 4 | 6;
  value: bigint;
}

/** A block of addresses; `prefix` counts in the bits of its family. */
export interface Cidr {
  base: Ip;
  prefix: number;
}

/**
 * - `PUBLIC`: globally reachable unicast.
 * - `LOOPBACK`: 127.0.0.0/8 and ::1.
 * - `METADATA`: where clouds keep instance metadata and credentials, and all of IPv4 link-local, since new ones appear in it.
 * - `RESERVED`: everything else (private, CGNAT, link-local, multicast, documentation, transition mechanisms, unassigned).
 */
export type AddressClass = 'PUBLIC' | 'LOOPBACK' | 'METADATA' | 'RESERVED';

/** Parses dotted-quad IPv4 or RFC 4291 IPv6; null for anything else, and for zone ids, which never belong into an answer or a URL. */
export function parseIp(text: string): Ip | null {
  if (isIPv4(text)) return { family: 4, value: ipv4Value(text) };
  if (!isIPv6(text) || text.includes('%')) return null;
  const value = ipv6Value(text);
  return value >> 32n === 0xffffn ? { family: 4, value: value & 0xffffffffn } : { family: 6, value };
}

/** Parses `address/prefix`; null if it isn't one. Bits below the prefix must be zero, else `null` too: `10.1.2.3/8` is a mistake more often than a wish. */
export function parseCidr(text: string): Cidr | null {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const base = match ? parseIp(match[1]!) : null;
  if (!base) return null;
  const mapped = base.family === 4 && match![1]!.includes(':');
  const prefix = Number(match![2]) - (mapped ? 96 : 0);
  const bits = bitsOf(base);
  if (prefix < 0 || prefix > bits) return null;
  return (base.value & ((1n << BigInt(bits - prefix)) - 1n)) === 0n ? { base, prefix } : null;
}

/** Whether the address lies in the block; never across families. */
export function contains(cidr: Cidr, ip: Ip): boolean {
  if (cidr.base.family !== ip.family) return false;
  const shift = BigInt(bitsOf(ip) - cidr.prefix);
  return cidr.base.value >> shift === ip.value >> shift;
}

/** Whether both are the same address. */
export function sameIp(a: Ip, b: Ip): boolean {
  return a.family === b.family && a.value === b.value;
}

/** Whether connecting to it reaches this machine whatever its interfaces are: loopback, and 0.0.0.0 or ::, which systems treat as loopback. */
export function isThisMachine(ip: Ip): boolean {
  return classify(ip) === 'LOOPBACK' || (ip.family === 4 ? contains(THIS_NETWORK, ip) : ip.value === 0n);
}

/**
 * Sorts an address by the [IANA special-purpose registries](https://www.iana.org/assignments/iana-ipv4-special-registry/).
 * NAT64 (RFC 6052, 64:ff9b::/96) is what it embeds, since DNS64 networks reach public IPv4 so; 6to4 and Teredo are reserved whatever they embed.
 */
export function classify(ip: Ip): AddressClass {
  if (METADATA.some((range) => contains(range, ip))) return 'METADATA';
  if (LOOPBACK.some((range) => contains(range, ip))) return 'LOOPBACK';
  if (ip.family === 6 && contains(NAT64, ip)) {
    const embedded = classify({ family: 4, value: ip.value & 0xffffffffn });
    return embedded === 'LOOPBACK' ? 'RESERVED' : embedded;
  }
  if (ip.family === 6 && !contains(GLOBAL_UNICAST, ip)) return 'RESERVED';
  return RESERVED.some((range) => contains(range, ip)) ? 'RESERVED' : 'PUBLIC';
}

function bitsOf(ip: Ip): number {
  return ip.family === 4 ? 32 : 128;
}

function ipv4Value(text: string): bigint {
  return text.split('.').reduce((value, octet) => (value << 8n) | BigInt(Number(octet)), 0n);
}

function ipv6Value(text: string): bigint {
  const lastColon = text.lastIndexOf(':');
  const tail = text.slice(lastColon + 1);
  if (tail.includes('.')) {
    const quad = ipv4Value(tail);
    return ipv6Value(`${text.slice(0, lastColon + 1)}${(quad >> 16n).toString(16)}:${(quad & 0xffffn).toString(16)}`);
  }
  const [head, rest] = text.split('::');
  const before = head ? head.split(':') : [];
  const after = rest ? rest.split(':') : [];
  const zeros = rest === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<string>(zeros).fill('0'), ...after].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

function block(text: string): Cidr {
  const cidr = parseCidr(text);
  if (!cidr) throw new TypeError(`not a CIDR: ${text}`);
  return cidr;
}

const THIS_NETWORK = block('0.0.0.0/8');
const GLOBAL_UNICAST = block('2000::/3');
const NAT64 = block('64:ff9b::/96');
const LOOPBACK = ['127.0.0.0/8', '::1/128'].map(block);

const METADATA = [
  '169.254.0.0/16', // AWS, Azure, Google, Oracle, DigitalOcean, ECS and EKS credentials, Scaleway
  '100.100.100.200/32', // Alibaba
  '168.63.129.16/32', // Azure's wire server, in public address space
  '192.0.0.192/32', // Oracle, classic
  'fd00:ec2::/32', // AWS: IMDS ::254, EKS pod identity ::23, DNS ::253
  'fd20:ce::254/128', // Google
  'fd00:42::42/128', // Scaleway
].map(block);

const RESERVED = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16',
  '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
  '2001::/23', // IETF protocol assignments: Teredo, ORCHID, benchmarking
  '2001:db8::/32', '2002::/16', '3fff::/20',
].map(block);

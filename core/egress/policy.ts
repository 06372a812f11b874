import { classify, parseIp, type Ip } from './address.js';
import { addressAllowed, canonicalHost, hostAllowed, type AllowRule } from './allow-rules.js';
import { EgressError } from './errors.js';
import { isDeniedAddress } from './own-endpoints.js';

/** A place that is never reachable, whatever is allowed: our own listeners and PostgreSQL. */
export interface DeniedEndpoint {
  /** A name or a literal address. A loopback or wildcard one stands for every address of this machine. */
  host: string;
  port: number;
}

/** What may be reached besides public HTTPS. */
export interface EgressPolicy {
  allow: AllowRule[];
  /** Local mode only: admits loopback addresses and names, over plain HTTP too. */
  allowLoopback: boolean;
  denied: DeniedEndpoint[];
}

/** A URL that passed the static part of the policy. */
export interface Destination {
  url: URL;
  /** As rules compare it: lower case, no brackets, no trailing dot. */
  host: string;
  port: number;
  secure: boolean;
  /** The host itself when it is a literal address. */
  literal: Ip | null;
  /** A host rule names it: any address will do, but metadata and denied ones. */
  hostAllowed: boolean;
}

/**
 * The static part: everything that can be said without a resolver. WHATWG parsing has already turned decimal, octal and hexadecimal IPv4 into
 * dotted quads. What a name resolves to is decided when it is dialled, by {@link admitAddress}.
 * @throws {EgressError} `REFUSED`
 */
export function checkUrl(policy: EgressPolicy, input: string | URL): Destination {
  const url = URL.parse(String(input));
  if (!url) throw refuse('not a URL', 'not a valid URL');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse(`scheme ${url.protocol}`);
  if (url.username !== '' || url.password !== '') {
    throw refuse('userinfo in the URL', 'the URL holds a user name or password; a credential never belongs into a URL');
  }
  if (url.href.includes('#')) throw refuse('fragment in the URL', 'the URL holds a fragment ("#…"), which is never sent to a server; remove it');
  const secure = url.protocol === 'https:';
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const host = canonicalHost(url.hostname);
  if (port === 0 || host === '' || host.split('.').includes('') || host.length > 253) throw refuse('no usable host or port');
  if (url.hostname.endsWith('.')) url.hostname = url.hostname.slice(0, -1);
  const destination = { url, host, port, secure, literal: parseIp(host), hostAllowed: hostAllowed(policy.allow, host, port) };
  if (destination.literal) admitAddress(policy, destination, destination.literal);
  else admitName(policy, destination);
  const known = destination.literal ?? (isLocalhostName(host) ? LOOPBACK_ADDRESS : null);
  if (known ? isDeniedAddress(policy.denied, known, port) : policy.denied.some((own) => own.port === port && own.host === host)) {
    throw refuse(`${host}:${port} is one of our own ports`);
  }
  return destination;
}

/**
 * Whether a destination may be reached at this address, which is what is dialled next.
 * @throws {EgressError} `REFUSED`
 */
export function admitAddress(policy: EgressPolicy, destination: Pick<Destination, 'host' | 'secure' | 'hostAllowed'>, ip: Ip): void {
  const kind = classify(ip);
  if (addressAllowed(policy.allow, ip)) return;
  if (kind !== 'METADATA') {
    if (destination.hostAllowed) return;
    if (kind === 'LOOPBACK' && policy.allowLoopback) return;
    if (kind === 'PUBLIC' && destination.secure) return;
  }
  throw refuse(`${destination.host} is a ${kind} address${destination.secure ? '' : ' over plain HTTP'}`);
}

/** Whether the name means this machine by [RFC 6761, section 6.3](https://www.rfc-editor.org/rfc/rfc6761#section-6.3), whatever DNS says. */
export function isLocalhostName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

function admitName(policy: EgressPolicy, destination: Destination): void {
  const { host, secure } = destination;
  const metadata = METADATA_NAMES.includes(host);
  if (metadata && !addressAllowed(policy.allow, METADATA_SERVICE)) throw refuse(`${host} is a metadata service`);
  if (destination.hostAllowed || policy.allow.some((rule) => rule.kind === 'CIDR')) return;
  if (isLocalhostName(host) && !policy.allowLoopback) throw refuse(`${host} is a loopback name`);
  if (policy.allowLoopback) return;
  if (!secure) throw refuse(`${host} over plain HTTP`);
  // Not looked up at all, since whether an internal name resolves is knowledge that a caller has no right to.
  if (!host.includes('.') || INTERNAL_SUFFIXES.some((suffix) => host.endsWith(suffix))) throw refuse(`${host} is an internal name`);
}

function refuse(detail: string, publicMessage?: string): EgressError {
  return new EgressError('REFUSED', detail, { sent: 'NOTHING', publicMessage });
}

const LOOPBACK_ADDRESS = parseIp('127.0.0.1')!;
const METADATA_SERVICE = parseIp('169.254.169.254')!;
const METADATA_NAMES: readonly string[] = [
  'metadata', 'metadata.google.internal', 'metadata.goog', 'instance-data', 'instance-data.ec2.internal', 'metadata.azure.internal', 'metadata.tencentyun.com',
];
/** [Special-use](https://www.iana.org/assignments/special-use-domain-names/) and customary suffixes of names that no public resolver answers. */
const INTERNAL_SUFFIXES: readonly string[] = [
  '.local', '.internal', '.home.arpa', '.localdomain', '.lan', '.intranet', '.corp', '.home', '.private', '.test', '.invalid', '.svc', '.in-addr.arpa', '.ip6.arpa',
];

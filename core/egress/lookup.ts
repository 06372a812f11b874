import { lookup as systemLookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { parseIp, type Address } from './address.js';
import { EgressError } from './errors.js';
import { isDenied } from './own-endpoints.js';
import { admitAddress, isLocalhostName, type Destination, type EgressPolicy } from './policy.js';

/** Resolves a name to all its addresses. Rejects if it has none. */
export type Resolve = (host: string) => Promise<Address[]>;

/** More answers than this are checked but not tried: a name with hundreds of dead addresses must not keep a connection attempt alive. */
const MAX_DIALLED = 8;

/** The system's resolver (getaddrinfo: hosts file and search domains included, as in-cluster names need). */
export async function resolveBySystem(host: string): Promise<Address[]> {
  const answers = await systemLookup(host, { all: true, verbatim: true });
  return answers.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

/**
 * The addresses of a destination that may be dialled. **All** answers are checked: one refused answer refuses the name, since
 * which one is used would otherwise be the attacker's choice.
 * @throws {EgressError} `DNS` or `REFUSED`, nothing sent
 */
export async function admittedAddresses(policy: EgressPolicy, destination: Destination, resolve: Resolve): Promise<Address[]> {
  const answers = await answersFor(destination, resolve);
  for (const { address } of answers) {
    const ip = parseIp(address);
    if (!ip) throw new EgressError('REFUSED', `${destination.host} resolves to something that is not an address`, { sent: 'NOTHING' });
    admitAddress(policy, destination, ip);
    if (await isDenied(policy.denied, ip, destination.port, resolve)) {
      throw new EgressError('REFUSED', `${destination.host}:${destination.port} is one of our own ports`, { sent: 'NOTHING' });
    }
  }
  return answers.slice(0, MAX_DIALLED);
}

/**
 * A look-up for `net.connect` that answers with {@link admittedAddresses} and nothing else: the check and the dialling share one answer,
 * so a name that changes in between (DNS rebinding) gains nothing.
 */
export function guardedLookup(policy: EgressPolicy, destination: Destination, resolve: Resolve): LookupFunction {
  return (_hostname, options, callback) => {
    admittedAddresses(policy, destination, resolve).then(
      (addresses) => {
        if (options.all) callback(null, addresses);
        else callback(null, addresses[0]!.address, addresses[0]!.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };
}

async function answersFor(destination: Destination, resolve: Resolve): Promise<Address[]> {
  const { host, literal } = destination;
  if (literal) return [{ address: host, family: host.includes(':') ? 6 : 4 }];
  if (isLocalhostName(host)) return [{ address: '127.0.0.1', family: 4 }, { address: '::1', family: 6 }];
  let answers: Address[];
  try {
    answers = await resolve(host);
  } catch (cause) {
    throw new EgressError('DNS', `${host} could not be resolved`, { sent: 'NOTHING', cause });
  }
  if (answers.length === 0) throw new EgressError('DNS', `${host} has no addresses`, { sent: 'NOTHING' });
  return answers;
}

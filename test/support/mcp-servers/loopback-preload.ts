/**
 * Loaded into a server of somebody else's before its own code (`node --import`): whatever it listens on is bound to 127.0.0.1, the port is told
 * to the parent, and the process ends when its parent does.
 */
import { Server, type AddressInfo } from 'node:net';

/** Before the port in the line that the parent waits for. */
export const PORT_LINE = 'listening on loopback port ';

const { listen } = Server.prototype;
Server.prototype.listen = function bound(this: Server, port: unknown, ...rest: unknown[]): Server {
  this.once('listening', () => process.stderr.write(`${PORT_LINE}${(this.address() as AddressInfo).port}\n`));
  const callback = rest.find((argument) => typeof argument === 'function') as (() => void) | undefined;
  return listen.call(this, { port: Number(port), host: '127.0.0.1' }, callback);
} as typeof listen;
process.stdin.on('end', () => process.exit(0)).resume();

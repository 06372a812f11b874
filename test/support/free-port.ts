import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that systems give to whoever asks for any port, or connects (https://docs.kernel.org/networking/ip-sysctl.html: ip_local_port_range; IANA's begin at 49152). */
const [FROM, TO] = [15_000, 32_000];

/**
 * A port of 127.0.0.1 on which nobody listens, for a program that has to be told its port, or that comes back to it after a while.
 * One that the system chose might be anybody's by then.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FROM + Math.floor(Math.random() * (TO - FROM));
    const server = createServer();
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue;
      throw error;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}

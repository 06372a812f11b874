import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A network between us and PostgreSQL. */
export interface DatabaseNetwork {
  /** The database's address by way of it. */
  url: string;
  /** Swallows everything without a word, as when a machine dies. */
  swallows: boolean;
  /** Cuts what is connected, and refuses who comes: as when PostgreSQL isn't running. */
  cut(): void;
  /** Lets everything pass again. */
  mend(): void;
  close(): Promise<void>;
}

/** Opens one before the database at `url`; everything passes. */
export async function openDatabaseNetwork(url: string): Promise<DatabaseNetwork> {
  const { hostname, port } = new URL(url);
  const ends = new Set<Socket>();
  let refuses = false;
  const server = createServer((near) => {
    if (refuses) return void near.resetAndDestroy();
    const far = connect(Number(port), hostname);
    for (const [from, to] of [[near, far], [far, near]] as const) {
      ends.add(from);
      from.on('data', (data) => { if (!network.swallows) to.write(data); }).on('error', () => undefined);
      from.on('close', () => {
        ends.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(url);
  through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const destroy = (): void => {
    for (const end of ends) end.destroy();
  };
  const network: DatabaseNetwork = {
    url: through.href, swallows: false,
    cut: () => {
      refuses = true;
      destroy();
    },
    mend: () => { refuses = false; },
    close: () => {
      destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return network;
}

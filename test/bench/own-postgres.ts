import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopSignals } from '#cli/stop-signals.js';
import { createLogger } from '#core/log.js';
import { startEmbeddedPostgres } from '#core/postgres/embedded.js';

/** A PostgreSQL that a program has for itself. */
export interface OwnPostgres {
  url: string;
  /** Its folder, with room for the program's own files. */
  directory: string;
  /** Stops it and removes the folder. */
  stop(): Promise<void>;
}

/** Starts one that flushes every commit. A program that is told to end meanwhile (Ctrl-C, SIGTERM, SIGHUP) takes server and folder with it; a second signal ends it at once. */
export async function startOwnPostgres(name: string): Promise<OwnPostgres> {
  const directory = await mkdtemp(join(tmpdir(), `fairlead-${name}-`));
  const starting = startEmbeddedPostgres({ directory, logger: createLogger('silent'), searchPath: process.env['PATH'] ?? '', durable: true });
  const stop = async (): Promise<void> => {
    await starting.then((postgres) => postgres.stop(), () => undefined);
    await rm(directory, { recursive: true, force: true });
  };
  const told = stopSignals(process, () => performance.now(), (code) => process.exit(code));
  told.addEventListener('abort', () => void stop().finally(() => process.exit(told.reason === 'SIGTERM' ? 143 : 130)), { once: true });
  return { url: (await starting).url, directory, stop };
}

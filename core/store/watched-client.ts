import { Socket } from 'node:net';
import { Client, type ClientConfig } from 'pg';

/** PostgreSQL answers every statement within this time, if only that it took too long: in milliseconds. */
export const STATEMENT_TIMEOUT_MS = 30_000;
/** Whoever says nothing for so long while it is asked isn't there any more. */
const SILENT_MS = STATEMENT_TIMEOUT_MS + 5000;

/**
 * A connection that breaks when the database doesn't answer on it any more. Where a machine or a network dies without a word, or an address moves to another machine, TCP
 * would go on asking for a quarter of an hour, and whoever waits with it. For statements that run under {@link STATEMENT_TIMEOUT_MS}.
 */
export class WatchedClient extends Client {
  constructor(config: ClientConfig = {}, silentMs: number = SILENT_MS) {
    const socket = new Socket();
    super({ ...config, stream: () => socket });
    socket.on('timeout', () => socket.destroy(new Error(`the database has been silent for ${silentMs} ms`)));
    const query = this.query.bind(this) as (...asked: unknown[]) => unknown;
    this.query = ((...asked: unknown[]) => {
      socket.setTimeout(silentMs);
      return query(...asked);
    }) as typeof this.query;
    // Nothing is asked: then it may be silent.
    this.on('drain', () => socket.setTimeout(0));
  }
}

import { Pool, type PoolClient, type QueryConfig, type QueryResult, type QueryResultRow } from 'pg';
import { STATEMENT_TIMEOUT_MS, WatchedClient } from './watched-client.js';

/** What {@link HeldClient} connects with. */
export interface HeldClientOptions {
  /** A `postgres://` URL. */
  url: string;
  /** As PostgreSQL shows it in `pg_stat_activity`. */
  name: string;
  /** Run on each new connection, before anything else. */
  setUp?: string;
}

/**
 * One connection that is kept in hand, for statements that follow each other without pause, one at a time: they are written in the tick in which they are asked for, where a pool hands its connection out a tick
 * later. A connection that breaks is replaced with the next statement.
 */
export class HeldClient {
  readonly #pool: Pool;
  readonly #setUp: string | undefined;
  #client: PoolClient | null = null;

  /** Connects when it is first used. */
  constructor({ url, name, setUp }: HeldClientOptions) {
    this.#setUp = setUp;
    this.#pool = new Pool({ connectionString: url, max: 1, application_name: name, connectionTimeoutMillis: 10_000, statement_timeout: STATEMENT_TIMEOUT_MS, keepAlive: true, Client: WatchedClient });
    this.#pool.on('error', () => undefined);
  }

  /** Runs one statement; the one before must be done. */
  query<R extends QueryResultRow>(statement: QueryConfig): Promise<QueryResult<R>> {
    return this.#client === null ? this.#connected().then((client) => client.query<R>(statement)) : this.#client.query<R>(statement);
  }

  async close(): Promise<void> {
    this.#client?.release();
    this.#client = null;
    await this.#pool.end();
  }

  async #connected(): Promise<PoolClient> {
    const client = await this.#pool.connect();
    client.once('error', (error) => {
      if (this.#client === client) this.#client = null;
      client.release(error);
    });
    if (this.#setUp !== undefined) await client.query(this.#setUp);
    return this.#client = client;
  }
}

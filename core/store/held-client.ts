import { Pool, type PoolClient, type QueryConfig, type QueryResult, type QueryResultRow } from 'pg';
import { isDatabaseAway } from './database-away.js';
import { STATEMENT_TIMEOUT_MS, WatchedClient } from './watched-client.js';

/** To set up a connection whose statements look for few rows, by their keys. A plan that was made while the tables were small, and is kept with the prepared statement, must know that too. */
export const BY_KEYS_ALONE = 'set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off';

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
  /** Taken from the pool and not given back: once only, or the pool throws. */
  #held: PoolClient | null = null;
  /** The same, when it can be asked. */
  #client: PoolClient | null = null;

  /** Connects when it is first used. */
  constructor({ url, name, setUp }: HeldClientOptions) {
    this.#setUp = setUp;
    this.#pool = new Pool({ connectionString: url, max: 1, application_name: name, connectionTimeoutMillis: 10_000, statement_timeout: STATEMENT_TIMEOUT_MS, keepAlive: true, Client: WatchedClient });
    this.#pool.on('error', () => undefined);
  }

  /** Runs one statement; the one before must be done. */
  query<R extends QueryResultRow>(statement: QueryConfig): Promise<QueryResult<R>> {
    const answer = this.#client === null ? this.#connected().then((client) => client.query<R>(statement)) : this.#client.query<R>(statement);
    // A connection's last word comes before its end does: the next statement would be given to one that is going.
    answer.catch((error: Error) => { if (isDatabaseAway(error)) this.#giveBack(error); });
    return answer;
  }

  async close(): Promise<void> {
    this.#giveBack();
    await this.#pool.end();
  }

  async #connected(): Promise<PoolClient> {
    const client = await this.#pool.connect();
    this.#held = client;
    // Heard also after it was given back: the server may end it before it hears from us that it is to be closed.
    client.on('error', (error) => { if (this.#held === client) this.#giveBack(error); });
    try {
      if (this.#setUp !== undefined) await client.query(this.#setUp);
    } catch (error) {
      if (this.#held === client) this.#giveBack(error as Error);
      throw error;
    }
    return this.#client = client;
  }

  #giveBack(error?: Error): void {
    const held = this.#held;
    this.#held = null;
    this.#client = null;
    held?.release(error);
  }
}

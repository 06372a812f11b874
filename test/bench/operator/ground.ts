import { Client } from 'pg';
import { migrate } from '#core/store/migrate.js';
import { KeyRing } from '#core/vault/key-ring.js';
import { freePort } from '#test/support/free-port.js';
import { REDIRECT_URI } from '#test/support/oauth-servers/journey.js';
import { startOwnPostgres, type OwnPostgres } from '../own-postgres.js';
import { Served } from './served.js';

/** What a measurement stands on: a PostgreSQL of its own that flushes every commit, and processes as shipped. */
export class Ground {
  readonly ring = KeyRing.generateEntry();
  readonly #served: Served[] = [];
  readonly #stopped: Served[] = [];

  private constructor(private readonly postgres: OwnPostgres, private readonly client: Client) {}

  static async prepare(): Promise<Ground> {
    const postgres = await startOwnPostgres('bench-operator');
    await migrate(postgres.url);
    const client = new Client({ connectionString: postgres.url });
    await client.connect();
    return new Ground(postgres, client);
  }

  /** Where files of the measurement may lie: it goes with the ground. */
  get directory(): string {
    return this.postgres.directory;
  }

  get databaseUrl(): string {
    return this.postgres.url;
  }

  async query<T extends object>(sql: string, parameters: unknown[] = []): Promise<T[]> {
    return (await this.client.query<T>(sql, parameters)).rows;
  }

  /** Statements that the database has been asked so far, by clients of ours; their commits counted. */
  async commits(): Promise<number> {
    const [row] = await this.query<{ commits: number }>('select xact_commit::float8 as commits from pg_stat_database where datname = current_database()');
    return row!.commits;
  }

  /** @param env settings beside those that every process here has */
  async start(command: 'api' | 'operator', nodeOptions: string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Served> {
    const served = await Served.start(command, {
      DATABASE_URL: this.databaseUrl, FAIRLEAD_KEYS: this.ring, FAIRLEAD_PUBLIC_URL: new URL(REDIRECT_URI).origin, FAIRLEAD_EGRESS_ALLOW: '127.0.0.1',
      FAIRLEAD_OIDC_ISSUER: 'http://127.0.0.1:1', FAIRLEAD_OIDC_AUDIENCE: 'nobody', FAIRLEAD_LOG_LEVEL: 'warn', ...env,
    }, [await freePort(), await freePort()], nodeOptions);
    this.#served.push(served);
    return served;
  }

  /** Stops what was started, in the reverse order, and answers what it logged as errors. */
  async stopServed(): Promise<string[]> {
    const served = this.#served.splice(0).reverse();
    for (const one of served) await one.stop();
    this.#stopped.push(...served);
    return served.flatMap(({ errors }) => errors);
  }

  /** All that the processes which were stopped have said. */
  said(): string {
    return this.#stopped.map(({ said }) => said).join('\n');
  }

  async clear(): Promise<void> {
    await this.stopServed();
    await this.client.end();
    await this.postgres.stop();
  }
}

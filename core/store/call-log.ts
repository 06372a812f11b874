import { Pool } from 'pg';
import type { ToolCall } from './entities/tool-call.entity.js';
import { recordset, UPSERT_CALLS } from './tool-calls.js';

/**
 * Writes groups of call records over one connection of its own, so that the hot path never queues behind page queries; the statement is
 * prepared once per connection.
 */
export class CallLog {
  readonly #pool: Pool;

  /** `url` is a `postgres://` URL. Connects with the first write. */
  constructor(url: string) {
    this.#pool = new Pool({ connectionString: url, max: 1, application_name: 'fairlead calls', connectionTimeoutMillis: 10_000, statement_timeout: 30_000, keepAlive: true });
    // A connection that breaks while idle is replaced with the next write, which reports what is wrong.
    this.#pool.on('error', () => undefined);
  }

  /** Inserts these rows, or ends those that are stored as running; committed when it resolves. No id twice. */
  async write(calls: readonly ToolCall[]): Promise<void> {
    await this.#pool.query({ name: 'calls', text: UPSERT_CALLS, values: [recordset(calls)] });
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

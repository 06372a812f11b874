import type { ToolCall } from './entities/tool-call.entity.js';
import { BY_KEYS_ALONE, HeldClient } from './held-client.js';
import { END_CALLS, endset, INSERT_CALL, INSERT_CALLS, recordset, UPSERT_CALLS, valuesOf } from './tool-calls.js';

/** What gathers in 25 ms at some three thousand calls a second. */
const ENDS_AT_ONCE = 64;

/**
 * Writes groups of call records, so that the hot path never queues behind page queries: over one connection what callers wait for, over another the ends that nobody
 * waits for. The statement is prepared once per connection.
 */
export class CallLog {
  readonly #begun: HeldClient;
  readonly #ended: HeldClient;

  /** `url` is a `postgres://` URL. Connects with the first write. */
  constructor(url: string) {
    this.#begun = new HeldClient({ url, name: 'fairlead calls' });
    this.#ended = new HeldClient({ url, name: 'fairlead ends of calls', setUp: BY_KEYS_ALONE });
  }

  /**
   * Rows that somebody waits for (`awaited`) are new, and are inserted; others are inserted, or end those that are stored as running. Committed when it resolves. No id twice, and one at a time
   * for each `awaited`.
   */
  async write(calls: readonly ToolCall[], awaited: boolean): Promise<void> {
    if (!awaited) await this.#end(calls);
    else if (calls.length === 1) await this.#begun.query({ name: 'call', text: INSERT_CALL, values: valuesOf(calls[0]!) });
    else await this.#begun.query({ name: 'calls', text: INSERT_CALLS, values: [recordset(calls)] });
  }

  /** However many have gathered, a statement has few of them: its plan compares each with each. */
  async #end(calls: readonly ToolCall[]): Promise<void> {
    for (let at = 0; at < calls.length; at += ENDS_AT_ONCE) await this.#endSome(calls.slice(at, at + ENDS_AT_ONCE));
  }

  async #endSome(calls: readonly ToolCall[]): Promise<void> {
    const { rows } = await this.#ended.query<{ id: string }>({ name: 'ends', text: END_CALLS, values: endset(calls) });
    if (rows.length === calls.length) return;
    // What isn't there, since its insert failed, and what has ended already.
    const ended = new Set(rows.map(({ id }) => id));
    await this.#ended.query({ name: 'calls', text: UPSERT_CALLS, values: [recordset(calls.filter(({ id }) => !ended.has(id)))] });
  }

  async close(): Promise<void> {
    await Promise.all([this.#begun.close(), this.#ended.close()]);
  }
}

import type { ToolCall } from './entities/tool-call.entity.js';
import { HeldClient } from './held-client.js';
import { recordset, UPSERT_CALLS } from './tool-calls.js';

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
    this.#ended = new HeldClient({ url, name: 'fairlead ends of calls' });
  }

  /** Inserts these rows, or ends those that are stored as running; committed when it resolves. No id twice. One at a time for each `awaited`, which says whether somebody waits. */
  async write(calls: readonly ToolCall[], awaited: boolean): Promise<void> {
    await (awaited ? this.#begun : this.#ended).query({ name: 'calls', text: UPSERT_CALLS, values: [recordset(calls)] });
  }

  async close(): Promise<void> {
    await Promise.all([this.#begun.close(), this.#ended.close()]);
  }
}

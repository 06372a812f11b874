import { ChurningMap } from '#core/churning-map.js';
import type { ToolCallView } from './call-request.js';

/** One call that this process makes. */
export interface RunningCall {
  /** Ends the call; the reason why is the signal's. */
  controller: AbortController;
  /** The ended call as its caller sees it; rejects when our own fault ended it. */
  ended: Promise<ToolCallView>;
}

/** The calls that this process makes now, by id: to cancel them, to wait for them, and to see them off at the end. */
export class RunningCalls {
  readonly #calls = new ChurningMap<string, RunningCall>();

  get(id: string): RunningCall | undefined {
    return this.#calls.get(id);
  }

  /** Keeps the call until it has ended. */
  add(id: string, call: RunningCall): void {
    this.#calls.set(id, call);
    const forget = (): void => { this.#calls.delete(id); };
    call.ended.then(forget, forget);
  }

  /** Cancels the call, if this process makes it. */
  cancel(id: string): void {
    this.#calls.get(id)?.controller.abort();
  }

  /** Waits for all calls; those that still run after `graceMs` are cancelled and waited for. */
  async finish(graceMs: number): Promise<void> {
    const timer = setTimeout(() => {
      for (const id of this.#calls.keys()) this.cancel(id);
    }, graceMs);
    while (this.#calls.size > 0) await Promise.allSettled([...this.#calls.values()].map((call) => call.ended));
    clearTimeout(timer);
  }
}

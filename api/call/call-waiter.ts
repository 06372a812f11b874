import { setTimeout as delay } from 'node:timers/promises';
import type { ToolCalls } from '#core/store/tool-calls.js';
import type { RunningCalls } from './running-calls.js';

const FIRST_LOOK_MS = 50;
const SLOWEST_LOOK_MS = 1000;

/** Waits for calls that somebody else began: in this process by their promise, in another by looking, since nothing is notified in a call's transaction. */
export class CallWaiter {
  constructor(private readonly calls: ToolCalls, private readonly running: RunningCalls) {}

  /** Resolves when the call has ended, when `timeoutMs` have passed, or when `signal` aborts; the record says which. */
  async ended(id: string, timeoutMs: number, signal: AbortSignal | null): Promise<void> {
    const enough = new AbortController();
    const stop = (): void => enough.abort();
    const timer = setTimeout(stop, timeoutMs);
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const local = this.running.get(id);
      if (local === undefined) await this.#look(id, enough.signal);
      else await Promise.race([local.ended.catch(() => undefined), aborted(enough.signal)]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      stop();
    }
  }

  async #look(id: string, enough: AbortSignal): Promise<void> {
    for (let pause = FIRST_LOOK_MS; !enough.aborted; pause = Math.min(SLOWEST_LOOK_MS, pause * 1.5)) {
      const status = (await this.calls.byId(id))?.status;
      if (status !== 'RUNNING' && status !== 'PENDING_APPROVAL') return;
      await delay(pause, undefined, { signal: enough }).catch(() => undefined);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

import type { NewAuditEvent } from '#core/store/audit-trail.js';
import { isDataFault } from '#core/store/data-fault.js';

interface Waiting {
  event: NewAuditEvent;
  settle: { resolve: () => void; reject: (error: unknown) => void };
}

/**
 * Puts refused calls on the audit trail, each as an event of its own. Those that come while others are being committed are committed together: a program that runs into its limits all the time
 * costs rows then, and not commits, which the calls of others need.
 */
export class Refusals {
  #waiting: Waiting[] = [];
  #writing = false;

  /** @param write commits a group of events, whole or not at all */
  constructor(private readonly write: (events: readonly NewAuditEvent[]) => Promise<void>) {}

  /** Resolves when the event is committed; rejects when it could not be. */
  append(event: NewAuditEvent): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ event, settle: { resolve, reject } });
    if (!this.#writing) void this.#writeAll();
    return promise;
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    for (let group = this.#waiting; group.length > 0; group = this.#waiting) {
      this.#waiting = [];
      await this.#writeGroup(group);
    }
    this.#writing = false;
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    try {
      await this.write(group.map(({ event }) => event));
    } catch (error) {
      // One event that can't be stored must not take the others with it.
      if (group.length > 1 && isDataFault(error)) for (const one of group) await this.#writeGroup([one]);
      else for (const { settle } of group) settle.reject(error);
      return;
    }
    for (const { settle } of group) settle.resolve();
  }
}

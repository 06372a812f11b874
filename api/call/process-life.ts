import { hostname } from 'node:os';
import type { Logger } from '#core/log.js';
import type { Pulse } from '#core/upkeep/pulse.js';
import type { Approvals } from '#core/store/approvals.js';
import type { Processes } from '#core/store/processes.js';
import type { ToolCalls } from '#core/store/tool-calls.js';

/** What {@link ProcessLife} is built of. */
export interface ProcessLifeOptions {
  /** This process's id, new with every start. */
  id: string;
  processes: Pick<Processes, 'removeOthers' | 'endOrphanedCalls'>;
  approvals: Pick<Approvals, 'expire'>;
  pulse: Pulse;
  calls: ToolCalls;
  /** Cancels a call of this process, if it is still running. */
  cancel: (callId: string) => void;
  /** Called with every beat. */
  onBeat: () => void;
  logger: Logger;
}

const BEAT_MS = 5000;
const DELETE_EVERY = 12;
const DELETE_AT_ONCE = 500;

/**
 * Says every five seconds that this process lives, and looks after what others left behind: calls of dead processes become `OUTCOME_UNKNOWN`, waits for approval end, requests
 * to cancel that weren't heard are found, and what is no longer kept is deleted. Any process does this for all.
 */
export class ProcessLife {
  #timer: NodeJS.Timeout | null = null;
  #beating: Promise<void> | null = null;
  #beats = 0;

  constructor(private readonly options: ProcessLifeOptions) {}

  /** Resolves when this process is on record as living: no call may be recorded before. */
  async start(): Promise<void> {
    await this.#live();
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
    this.#beat();
  }

  /** For an installation of a single process: whatever others left is orphaned now, not in 15 seconds. Returns how many calls were. */
  async adoptOrphans(): Promise<number> {
    await this.options.processes.removeOthers(this.options.id);
    return this.options.processes.endOrphanedCalls();
  }

  /** To be called when no call is running any more. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#beating;
    await this.options.pulse.remove(this.options.id).catch((error: unknown) => this.options.logger.warn({ err: error }, 'this process stays on record until it is found silent'));
  }

  async #live(): Promise<void> {
    await this.options.pulse.beat(this.options.id, hostname(), process.pid);
  }

  /** One round at a time, so that a slow database isn't asked more and more. */
  #beat(): void {
    this.options.onBeat();
    this.#beating ??= this.#round()
      .catch((error: unknown) => this.options.logger.error({ err: error }, 'the heartbeat of this process failed'))
      .finally(() => { this.#beating = null; });
  }

  async #round(): Promise<void> {
    const { id, processes, calls, cancel, logger } = this.options;
    await this.#live();
    for (const callId of await calls.cancelRequests(id)) cancel(callId);
    const ended = await processes.endOrphanedCalls();
    if (ended > 0) logger.warn({ calls: ended }, 'calls of a process that died are on record as OUTCOME_UNKNOWN');
    await this.options.approvals.expire();
    if (this.#beats++ % DELETE_EVERY === 0) while ((await calls.deleteExpired(DELETE_AT_ONCE)) >= DELETE_AT_ONCE);
  }
}

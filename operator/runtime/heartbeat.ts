import { hostname } from 'node:os';
import type { Logger } from '#core/log.js';
import type { Processes } from '#core/store/processes.js';

/** What {@link Heartbeat} is built of. */
export interface HeartbeatOptions {
  processes: Pick<Processes, 'beat' | 'remove'>;
  /** The worker's id among the living. */
  worker: string;
  /** How often it says that it lives, in milliseconds; see {@link deadAfterMs}. */
  intervalMs: number;
  /** Monotonic milliseconds. */
  clock: () => number;
  logger: Logger;
}

/** After so long a silence others take over what a worker has claimed: three beats, so that one that was lost means nothing. */
export function deadAfterMs(intervalMs: number): number {
  return 3 * intervalMs;
}

/** Says again and again that this worker lives. */
export class Heartbeat {
  #timer: NodeJS.Timeout | null = null;
  #beating: Promise<void> | null = null;
  #heardAt: number | null = null;

  constructor(private readonly options: HeartbeatOptions) {}

  /** How long ago the database last took a beat, in milliseconds; infinite before the first one. */
  get ageMs(): number {
    return this.#heardAt === null ? Number.POSITIVE_INFINITY : this.options.clock() - this.#heardAt;
  }

  /** Whether others believe that this worker lives. */
  get alive(): boolean {
    return this.ageMs < deadAfterMs(this.options.intervalMs);
  }

  /** Resolves when the worker is on record as living: nothing may be claimed before. */
  async start(): Promise<void> {
    await this.#beat();
    this.#timer = setInterval(() => {
      this.#beating ??= this.#beat()
        .catch((error: unknown) => this.options.logger.error({ err: error }, 'the heartbeat of the operator failed'))
        .finally(() => { this.#beating = null; });
    }, this.options.intervalMs);
  }

  /** To be called when nothing is claimed any more. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#beating;
    const { processes, worker, logger } = this.options;
    await processes.remove(worker).catch((error: unknown) => logger.warn({ err: error }, 'the operator stays on record until it is found silent'));
  }

  async #beat(): Promise<void> {
    // The database takes it no sooner than it was sent: what is said of the age errs on the side of death.
    const sentAt = this.options.clock();
    await this.options.processes.beat(this.options.worker, hostname(), process.pid);
    this.#heardAt = sentAt;
  }
}

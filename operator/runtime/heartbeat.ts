import { hostname } from 'node:os';
import type { Logger } from '#core/log.js';
import type { Processes } from '#core/store/processes.js';

const BEAT_MS = 5000;

/** Says every five seconds that this worker lives; after 15 s of silence others take over what it has claimed. */
export class Heartbeat {
  #timer: NodeJS.Timeout | null = null;
  #beating: Promise<void> | null = null;

  constructor(private readonly processes: Pick<Processes, 'beat' | 'remove'>, private readonly worker: string, private readonly logger: Logger) {}

  /** Resolves when the worker is on record as living: nothing may be claimed before. */
  async start(): Promise<void> {
    await this.#beat();
    this.#timer = setInterval(() => {
      this.#beating ??= this.#beat()
        .catch((error: unknown) => this.logger.error({ err: error }, 'the heartbeat of the operator failed'))
        .finally(() => { this.#beating = null; });
    }, BEAT_MS);
  }

  /** To be called when nothing is claimed any more. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#beating;
    await this.processes.remove(this.worker).catch((error: unknown) => this.logger.warn({ err: error }, 'the operator stays on record until it is found silent'));
  }

  async #beat(): Promise<void> {
    await this.processes.beat(this.worker, hostname(), process.pid);
  }
}

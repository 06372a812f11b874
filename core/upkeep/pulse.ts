import type { Logger } from '../log.js';
import type { Others, ProcessFacts, Processes } from '../store/processes.js';
import type { LiveKeyRing } from '../vault/live-key-ring.js';

/** What {@link Pulse} is built of. */
export interface PulseOptions {
  role: ProcessFacts['role'];
  processes: Pick<Processes, 'beat' | 'remove'>;
  keyRing: LiveKeyRing;
  logger: Logger;
  /** Called with each beat: how many operators live. */
  onOperators?: (operators: number) => void;
}

/**
 * The beats of a process, in the place of `Processes.beat`: with each, the key ring is read again where it may have changed, the process says that it lives and which keys
 * it holds, and hears which of them everybody holds. With the first of those it wraps from then on (docs/adr/0017).
 */
export class Pulse implements Pick<Processes, 'beat' | 'remove'> {
  #unreadable: string | null = null;

  constructor(private readonly options: PulseOptions) {}

  /** As `Processes.beat`. */
  async beat(id: string, host: string, pid: number): Promise<Others> {
    const { role, processes, keyRing, logger, onOperators } = this.options;
    await this.#refresh();
    const before = keyRing.wrapsWith;
    const others = await processes.beat(id, host, pid, { role, keys: keyRing.holds, wrapsWith: before });
    keyRing.settle(others.keysEverywhere);
    if (keyRing.wrapsWith !== before) logger.info({ key: keyRing.wrapsWith, before }, 'new data keys are wrapped by another key from now on');
    onOperators?.(others.operators);
    return others;
  }

  /** As `Processes.remove`. */
  remove(id: string): Promise<void> {
    return this.options.processes.remove(id);
  }

  /** A ring that can't be read is told once, and the one that was read before goes on. */
  async #refresh(): Promise<void> {
    const { keyRing, logger } = this.options;
    try {
      if (await keyRing.refresh()) logger.info({ keys: keyRing.ids }, 'the key ring was read again');
      this.#unreadable = null;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== this.#unreadable) logger.error({ err: error }, 'the key ring can\'t be read again: what it held before goes on');
      this.#unreadable = message;
    }
  }
}

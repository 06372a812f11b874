import { InvariantBroken } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import { DEAD_AFTER_MS, LOST_AFTER_MS, type Claim, type Schedule, type ScheduledKind } from '#core/store/schedule.js';
import type { Traces } from '#core/traces/traces.js';
import { RunOver } from '#core/upkeep/run.js';
import { backOffMs } from './back-off.js';
import type { OperatorMetrics } from './metrics.js';
import type { Reconciler, ReconcileResult } from './reconciler.js';

/** What {@link Worker} is built of. */
export interface WorkerOptions {
  /** Its id among the living: see Heartbeat. */
  id: string;
  schedule: Pick<Schedule, 'claim' | 'finish' | 'forget'>;
  reconcilers: readonly Reconciler[];
  metrics: OperatorMetrics;
  traces: Traces;
  logger: Logger;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** From 0 to 1. */
  random: () => number;
  /** Runs at once. */
  slots?: number;
  /** Of these, so many to one host. */
  perLane?: number;
  /** A run that takes longer has failed. */
  deadlineMs?: number;
  /** How often is looked for what is due, even if nobody says so. */
  pollMs?: number;
  /** How soon the end of a run is stored again that the database didn't take. */
  retryMs?: number;
  /** Workers that were silent for so long are dead: see Heartbeat. */
  deadAfterMs?: number;
}

const SLOTS = 32;
const PER_LANE = 8;
const DEADLINE_MS = 90_000;
const POLL_MS = 500;
const REFILL_AT = 3 / 4;
const STALLED_MS = 24 * 3_600_000;
/** Of the end of a run, once the process is to end. */
const LAST_ATTEMPTS = 5;
const RETRY_MS = 1000;

/** One run under way. */
interface Run {
  claim: Claim;
  controller: AbortController;
  ended: Promise<void>;
}

/**
 * Claims what is due and runs it, so many at once, and of one host so many: a slow server holds up nobody but itself. Woken by notifications; what those
 * don't say is found by the next poll, because due rows stay due.
 */
export class Worker {
  readonly #options: Required<WorkerOptions>;
  readonly #reconcilers: ReadonlyMap<ScheduledKind, Reconciler>;
  readonly #runs = new Set<Run>();
  readonly #stopping = new AbortController();
  #work: Promise<void> | null = null;
  #awake = false;
  #full = false;
  #wake: (() => void) | null = null;

  constructor(options: WorkerOptions) {
    this.#options = { slots: SLOTS, perLane: PER_LANE, deadlineMs: DEADLINE_MS, pollMs: POLL_MS, retryMs: RETRY_MS, deadAfterMs: DEAD_AFTER_MS, ...options };
    this.#reconcilers = new Map(options.reconcilers.map((one) => [one.kind, one]));
  }

  start(): void {
    this.#work ??= this.#loop();
  }

  /** Something may be due. */
  wake(): void {
    this.#awake = true;
    this.#wake?.();
  }

  /** Claims nothing more, lets what runs finish within the grace, then aborts it; what was aborted is due again at once, for others. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#work;
    const timer = setTimeout(() => {
      for (const { controller } of this.#runs) controller.abort(new ShuttingDown());
    }, graceMs);
    await Promise.all([...this.#runs].map((run) => run.ended));
    clearTimeout(timer);
  }

  async #loop(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#awake = false;
      const room = this.#options.slots - this.#runs.size;
      const claims = await this.#claim(room);
      // What was claimed while it was told to stop is for others, at once.
      if (this.#stopping.signal.aborted) return void await Promise.all(claims.map((claim) => this.#finish(claim, 0, claim.failures)));
      for (const claim of claims) this.#begin(claim);
      this.#full = this.#runs.size >= this.#options.slots;
      // Fewer than there is room for: nothing else is due.
      if (claims.length < room || this.#full) await this.#sleep();
    }
  }

  async #claim(limit: number): Promise<Claim[]> {
    const { id, schedule, perLane, deadAfterMs, logger } = this.#options;
    if (limit <= 0) return [];
    const running = new Map<string, number>();
    for (const { claim } of this.#runs) running.set(claim.lane, (running.get(claim.lane) ?? 0) + 1);
    try {
      return await schedule.claim({ worker: id, limit, kinds: [...this.#reconcilers.keys()], perLane, running, deadAfterMs });
    } catch (error) {
      logger.error({ err: error }, 'nothing could be claimed');
      return [];
    }
  }

  /** Until somebody wakes it, a run ends, or the next poll is due. */
  #sleep(): Promise<void> {
    if (this.#awake) return Promise.resolve();
    return new Promise((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(over, this.#options.pollMs);
      this.#wake = over;
    });
  }

  #begin(claim: Claim): void {
    const controller = new AbortController();
    const run: Run = { claim, controller, ended: Promise.resolve() };
    this.#runs.add(run);
    run.ended = this.#run(claim, controller).finally(() => {
      this.#runs.delete(run);
      // Several at a time, so that a long queue doesn't take a claim per object.
      if (this.#full && this.#runs.size <= this.#options.slots * REFILL_AT) this.wake();
    });
  }

  async #run(claim: Claim, controller: AbortController): Promise<void> {
    const { metrics, clock } = this.#options;
    const began = clock();
    metrics.began(claim.kind, claim.lateMs);
    try {
      const result = await this.#traced(claim, () => this.#withinDeadline(claim, controller));
      metrics.ended(claim.kind, result === 'GONE' ? 'success' : 'requeue_after', false, (clock() - began) / 1000);
      if (result === 'GONE') await this.#finish(claim, null, 0);
      else if (result.ended !== true) await this.#finish(claim, result.requeueAfterMs, 0);
    } catch (error) {
      const terminal = error instanceof InvariantBroken;
      metrics.ended(claim.kind, 'error', terminal, (clock() - began) / 1000);
      await this.#failed(claim, error, terminal);
    }
  }

  #traced(claim: Claim, work: () => Promise<ReconcileResult>): Promise<ReconcileResult> {
    const { kind, id, epoch, failures } = claim;
    return this.#options.traces.span(`reconcile ${kind}`, 'INTERNAL', { 'fairlead.kind': kind, 'fairlead.id': id, 'fairlead.epoch': Number(epoch), 'fairlead.failures': failures }, async (span) => {
      const result = await work();
      span.add(result === 'GONE' ? { 'fairlead.gone': true } : { 'fairlead.requeue_after_ms': Math.round(result.requeueAfterMs) });
      return result;
    });
  }

  async #withinDeadline(claim: Claim, controller: AbortController) {
    const { deadlineMs } = this.#options;
    const timer = setTimeout(() => controller.abort(new Error(`the run took longer than ${deadlineMs} ms`)), deadlineMs);
    const aborted = new Promise<never>((_resolve, reject) => {
      controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error), { once: true });
    });
    try {
      return await Promise.race([this.#reconcilers.get(claim.kind)!.reconcile(claim, controller.signal), aborted]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #failed(claim: Claim, error: unknown, terminal: boolean): Promise<void> {
    const { logger, random } = this.#options;
    const key = { kind: claim.kind, id: claim.id };
    if (error instanceof RunOver) return logger.info(key, 'a run was over: somebody else has claimed its object');
    if (error instanceof ShuttingDown) return this.#finish(claim, 0, claim.failures);
    const failures = claim.failures + 1;
    const afterMs = terminal ? STALLED_MS : backOffMs(claim.failures, random());
    logger.error({ ...key, err: error, failures, afterMs }, terminal ? 'a run failed for good: the object waits until it is changed' : 'a run failed');
    return this.#finish(claim, afterMs, failures);
  }

  /** A row that can't be given back now is given back when the database takes it; at the latest it counts as lost, and is anybody's. */
  async #finish(claim: Claim, afterMs: number | null, failures: number): Promise<void> {
    const { schedule, logger, clock, retryMs } = this.#options;
    const key = { kind: claim.kind, id: claim.id };
    const began = clock();
    for (let attempt = 1, last = LAST_ATTEMPTS; ; attempt += 1) {
      try {
        if (afterMs === null) await schedule.forget(claim);
        else if (!(await schedule.finish(claim, afterMs, failures))) logger.info(key, 'the end of a run came too late: somebody else has claimed its object');
        return;
      } catch (error) {
        if (this.#stopping.signal.aborted) last -= 1;
        const over = last === 0 || clock() - began > LOST_AFTER_MS;
        if (attempt === 1 || over) logger.error({ ...key, err: error, attempt }, over ? 'the end of a run could not be stored' : 'the end of a run could not be stored yet: it goes on being tried');
        if (over) return;
        await new Promise((resolve) => { setTimeout(resolve, retryMs); });
      }
    }
  }
}

/** The process ends: the run goes to somebody else. */
class ShuttingDown extends Error {}

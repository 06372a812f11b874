import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { CheckOutcome } from './check-outcome.js';
import type { CheckReply, CheckRequest } from './check-protocol.js';

/** Limits of one check in a worker thread. */
export interface LaneLimits {
  /** Milliseconds for a value against a compiled schema. */
  checkMs: number;
  /** Milliseconds for compiling a schema; once for each worker. */
  compileMs: number;
  /** Megabytes of heap; a check that wants more ends like one that takes too long. */
  heapMb: number;
  /** Schemas that a worker keeps compiled. */
  schemas: number;
}

/** A check to be done. `value` must be plain JSON. */
export interface Job {
  key: string;
  schema: unknown;
  value: unknown;
  done: (outcome: CheckOutcome) => void;
}

/** Compiling took too long; the time depends on the schema alone, so it is not tried again. */
const TOO_COSTLY = 'The schema takes too long to compile.';
/** Far more than a thread needs to start, and not counted against any job. */
const START_MS = 20_000;
const NOT_IN_TIME = 'The value could not be checked against the schema in time.';

/** One worker thread that does one job at a time, and is killed and replaced when a job exceeds its limits. The thread starts with the first job, and keeps no process alive while it is idle. */
export class CheckLane {
  #worker: Worker | null = null;
  #ready = false;
  #job: Job | null = null;
  #timer: NodeJS.Timeout | null = null;
  #compiling = false;
  readonly #known = new Set<string>();
  constructor(private readonly limits: LaneLimits, private readonly onFree: () => void) {}

  get free(): boolean {
    return this.#job === null;
  }

  /** Starts a job. The lane must be free. */
  run(job: Job): void {
    this.#job = job;
    if (this.#worker === null) this.#start();
    this.#worker?.ref();
    if (this.#ready) this.#dispatch(job);
  }

  /** Ends the thread, and the job that it does. Answers when the thread is gone. */
  async close(): Promise<void> {
    await this.#stop({ ok: false, reason: 'NOT_IN_TIME', message: NOT_IN_TIME });
  }

  #start(): void {
    const { heapMb } = this.limits;
    const worker = new Worker(fileURLToPath(new URL('./check-worker.js', import.meta.url)), { resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: 16 }, execArgv: [], env: {} });
    worker.on('message', (reply: CheckReply) => { if (worker === this.#worker) this.#receive(reply); });
    // Out of memory is an error, and errors are listened to, because one that isn't ends the process.
    const ended = () => { if (worker === this.#worker) void this.#stop({ ok: false, reason: 'NOT_IN_TIME', message: NOT_IN_TIME }); };
    worker.on('error', ended);
    worker.on('exit', ended);
    this.#worker = worker;
    this.#compiling = false;
    this.#arm(START_MS);
  }

  #dispatch(job: Job): void {
    const forget = this.#known.size >= this.limits.schemas && !this.#known.has(job.key);
    if (forget) this.#known.clear();
    this.#compiling = !this.#known.has(job.key);
    const request: CheckRequest = { key: job.key, value: job.value, forget, ...(this.#compiling ? { schema: job.schema } : {}) };
    this.#arm(this.#compiling ? this.limits.compileMs : this.limits.checkMs);
    this.#worker!.postMessage(request);
  }

  #receive(reply: CheckReply): void {
    switch (reply.kind) {
      case 'READY':
        this.#ready = true;
        this.#disarm();
        if (this.#job !== null) this.#dispatch(this.#job);
        return;
      case 'COMPILED':
        this.#compiling = false;
        this.#known.add(this.#job!.key);
        return this.#arm(this.limits.checkMs);
      case 'CHECKED':
        return this.#finish(reply.violations.length === 0 ? { ok: true } : { ok: false, reason: 'INVALID', errors: reply.violations });
      case 'UNUSABLE':
        return this.#finish({ ok: false, reason: 'SCHEMA_UNUSABLE', message: reply.message });
      case 'FAILED':
        return this.#finish({ ok: false, reason: 'NOT_IN_TIME', message: NOT_IN_TIME });
    }
  }

  /** When time is up, what the thread has already said is heard first: this thread may have been the slow one. */
  #arm(ms: number): void {
    this.#disarm();
    const timer = setTimeout(() => {
      setImmediate(() => {
        if (timer !== this.#timer) return;
        const outcome: CheckOutcome = this.#compiling ? { ok: false, reason: 'SCHEMA_UNUSABLE', message: TOO_COSTLY } : { ok: false, reason: 'NOT_IN_TIME', message: NOT_IN_TIME };
        void this.#stop(outcome);
      });
    }, ms);
    this.#timer = timer;
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #finish(outcome: CheckOutcome): void {
    this.#disarm();
    const job = this.#job;
    this.#job = null;
    this.#worker?.unref();
    job?.done(outcome);
    this.onFree();
  }

  async #stop(outcome: CheckOutcome): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    this.#ready = false;
    this.#disarm();
    this.#known.clear();
    if (this.#job !== null) this.#finish(outcome);
    await worker?.terminate();
  }
}

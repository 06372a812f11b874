import { CheckLane, type Job, type LaneLimits } from './check-lane.js';
import type { CheckOutcome } from './check-outcome.js';
import { readDialect } from './dialect.js';
import { MAX_FAST_FORMAT_TEXT } from './formats.js';
import { surveyInstance, type InstanceSurvey } from './instance-survey.js';
import { SchemaCompiler, type Validate } from './schema-compiler.js';
import { surveySchema, type SchemaSurvey } from './schema-survey.js';
import { SchemaUnusable } from './schema-unusable.js';

export type { CheckOutcome } from './check-outcome.js';
export type { Violation } from './violation.js';

/** Settings of {@link ToolSchemas}. */
export interface ToolSchemasOptions extends LaneLimits {
  /** Schemas kept compiled on the main thread; the one used longest ago goes first. */
  cacheSize: number;
  /** Worker threads at most; each starts when it is needed. */
  workers: number;
  /** Checks that may wait for a worker, and for how many milliseconds. */
  queueLength: number;
  queueMs: number;
}

const DEFAULTS: ToolSchemasOptions = { cacheSize: 1000, workers: 2, queueLength: 64, queueMs: 1000, checkMs: 250, compileMs: 2000, heapMb: 128, schemas: 200 };

/** Steps of about 10 ns (see SchemaSurvey) that the main thread takes: by values, each of which may become an error, and by characters. */
const MAX_STEPS = { nodes: 500_000, characters: 5_000_000 };

type Entry = { kind: 'FAST'; validate: Validate; survey: SchemaSurvey } | { kind: 'LIMITED'; schema: unknown } | { kind: 'UNUSABLE'; message: string };

/**
 * Checks arguments and results against the JSON Schemas of tools, in bounded time, whatever server or caller made up
 * ({@link https://modelcontextprotocol.io/specification/2025-11-25/server/tools MCP, Tools}). Schemas that are provably quick are compiled once and checked on the main thread, in microseconds; the others
 * in worker threads under a time limit. `format` is checked, though 2020-12 leaves that open (see `checkedFormats`).
 */
export class ToolSchemas {
  readonly #options: ToolSchemasOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #compiler = new SchemaCompiler();
  readonly #lanes: CheckLane[];
  readonly #queue = new Set<Job>();
  #closed = false;

  constructor(options: Partial<ToolSchemasOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
    this.#lanes = Array.from({ length: this.#options.workers }, () => new CheckLane(this.#options, () => this.#next()));
  }

  /**
   * Checks a value. `schemaKey` must change with the schema: a definition hash, plus which of its schemas it is. Raw numbers are checked as doubles; the value is never changed.
   * Answers at once where the main thread can, else with a promise that is always kept. Never throws for what the schema or the value is.
   */
  check(schemaKey: string, schema: unknown, value: unknown): CheckOutcome | Promise<CheckOutcome> {
    const entry = this.#entry(schemaKey, schema);
    if (entry.kind === 'UNUSABLE') return { ok: false, reason: 'SCHEMA_UNUSABLE', message: entry.message };
    const instance = surveyInstance(value);
    if (instance === null) return { ok: false, reason: 'INVALID', errors: [{ pointer: '', message: 'is nested too deeply' }] };
    if (entry.kind === 'LIMITED') return this.#checkLimited(schemaKey, entry.schema, instance.value);
    if (!isQuick(entry.survey, instance)) return this.#checkLimited(schemaKey, schema, instance.value);
    const errors = entry.validate(instance.value);
    return errors.length === 0 ? { ok: true } : { ok: false, reason: 'INVALID', errors };
  }

  /** Ends the worker threads; checks under way end as `NOT_IN_TIME`. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const job of this.#queue) job.done(TOO_BUSY);
    this.#queue.clear();
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }

  #entry(key: string, schema: unknown): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) this.#entries.delete(key);
    const entry = known ?? this.#makeEntry(schema);
    this.#entries.set(key, entry);
    if (this.#entries.size > this.#options.cacheSize) this.#entries.delete(this.#entries.keys().next().value!);
    return entry;
  }

  #makeEntry(schema: unknown): Entry {
    try {
      // Surveyed before anything walks it, as it came; and what is compiled is surveyed again if it was rewritten.
      let survey = surveySchema(schema);
      const read = readDialect(schema);
      if (read.schema !== schema) survey = surveySchema(read.schema);
      return survey.bounded ? { kind: 'FAST', validate: this.#compiler.compile(read, survey.patterns), survey } : { kind: 'LIMITED', schema };
    } catch (error) {
      if (error instanceof SchemaUnusable) return { kind: 'UNUSABLE', message: error.message };
      throw error;
    }
  }

  async #checkLimited(key: string, schema: unknown, value: unknown): Promise<CheckOutcome> {
    if (this.#closed || this.#queue.size >= this.#options.queueLength) return TOO_BUSY;
    const outcome = await new Promise<CheckOutcome>((resolve) => {
      const timer = setTimeout(() => {
        if (this.#queue.delete(job)) resolve(TOO_BUSY);
      }, this.#options.queueMs);
      const job: Job = { key, schema, value, done: (result) => { clearTimeout(timer); resolve(result); } };
      this.#queue.add(job);
      this.#next();
    });
    if (!outcome.ok && outcome.reason === 'SCHEMA_UNUSABLE') this.#entries.set(key, { kind: 'UNUSABLE', message: outcome.message });
    return outcome;
  }

  #next(): void {
    for (const job of this.#queue) {
      const lane = this.#lanes.find((each) => each.free);
      if (lane === undefined) return;
      this.#queue.delete(job);
      lane.run(job);
    }
  }
}

const TOO_BUSY: CheckOutcome = { ok: false, reason: 'NOT_IN_TIME', message: 'The value could not be checked in time, because too many others are being checked.' };

function isQuick(schema: SchemaSurvey, instance: InstanceSurvey): boolean {
  if (schema.hasFormat && instance.longest > MAX_FAST_FORMAT_TEXT) return false;
  return instance.nodes * schema.weight <= MAX_STEPS.nodes && instance.characters * schema.scan <= MAX_STEPS.characters;
}

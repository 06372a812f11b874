/** What is said of a span: ids, names of ours, numbers. Never a credential, an argument, a result, or a path that a user gave. */
export type SpanFacts = Readonly<Record<string, string | number | boolean>>;

/** A span under way. */
export interface OpenSpan {
  add(facts: SpanFacts): void;
  /** What it was for didn't come about, though nothing was thrown. `code` is of a closed set. */
  failed(code: string): void;
}

/** How a span stands to what it touches. https://opentelemetry.io/docs/specs/otel/trace/api/#spankind */
export type SpanKind = 'INTERNAL' | 'SERVER' | 'CLIENT';

/** Follows work through a process: `NO_TRACES`, or spans by OpenTelemetry where a collector is configured. */
export interface Traces {
  /** Whether there is a span under way here: what has no beginning of its own asks before it makes one. */
  readonly active: boolean;
  /** The span under way, for a server that continues it; null where there is none. https://www.w3.org/TR/trace-context/#traceparent-header */
  readonly traceparent: string | null;
  /** Runs `work` in a span, beneath the one under way. What it throws is passed on; of that only the code, or the class, is kept. */
  span<T>(name: string, kind: SpanKind, facts: SpanFacts, work: (span: OpenSpan) => Promise<T>): Promise<T>;
  /** Sends what is left. Never rejects, and takes a few seconds at the most. */
  stop(): Promise<void>;
}

const NO_SPAN: OpenSpan = { add: () => undefined, failed: () => undefined };

/** Follows nothing, at no cost. */
export const NO_TRACES: Traces = {
  active: false,
  traceparent: null,
  span: (_name, _kind, _facts, work) => work(NO_SPAN),
  stop: () => Promise.resolve(),
};

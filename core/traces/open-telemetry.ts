import { AsyncLocalStorage } from 'node:async_hooks';
import { ROOT_CONTEXT, SpanKind as Kind, SpanStatusCode, trace, type Context, type Span, type Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '../log.js';
import type { TracesConfig } from './start-traces.js';
import type { OpenSpan, SpanFacts, SpanKind, Traces } from './traces.js';

const KINDS: Record<SpanKind, Kind> = { INTERNAL: Kind.INTERNAL, SERVER: Kind.SERVER, CLIENT: Kind.CLIENT };
const SEND_TIMEOUT_MS = 5000;

/**
 * Spans by OpenTelemetry's SDK, sent over OTLP/HTTP. Nothing is registered globally, so several may live in one process. The collector's address is of the
 * configuration, not of a user: it isn't reached through core/egress. https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
export class OpenTelemetryTraces implements Traces {
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #here = new AsyncLocalStorage<Context>();

  /** @param part of the program that the spans are of, `api` or `operator` */
  constructor(config: TracesConfig, part: string, version: string, logger: Logger) {
    const exporter = reporting(new OTLPTraceExporter({ url: config.url, headers: { ...config.headers }, timeoutMillis: SEND_TIMEOUT_MS }), logger);
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': config.serviceName, 'service.version': version }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(config.ratio) }),
      spanProcessors: [new BatchSpanProcessor({ exporter, exportTimeoutMillis: SEND_TIMEOUT_MS })],
    });
    this.#tracer = this.#provider.getTracer(`fairlead.${part}`, version);
  }

  get active(): boolean {
    return this.#here.getStore() !== undefined;
  }

  get traceparent(): string | null {
    const span = trace.getSpanContext(this.#here.getStore() ?? ROOT_CONTEXT);
    return span === undefined ? null : `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`;
  }

  async span<T>(name: string, kind: SpanKind, facts: SpanFacts, work: (span: OpenSpan) => Promise<T>): Promise<T> {
    const parent = this.#here.getStore() ?? ROOT_CONTEXT;
    const span = this.#tracer.startSpan(name, { kind: KINDS[kind], attributes: facts }, parent);
    try {
      return await this.#here.run(trace.setSpan(parent, span), () => work(openSpan(span)));
    } catch (error) {
      fail(span, codeOf(error));
      throw error;
    } finally {
      span.end();
    }
  }

  async stop(): Promise<void> {
    await this.#provider.shutdown().catch(() => undefined);
  }
}

function openSpan(span: Span): OpenSpan {
  return { add: (facts) => void span.setAttributes(facts), failed: (code) => fail(span, code) };
}

/** https://opentelemetry.io/docs/specs/semconv/general/recording-errors/ ; without a message, which may quote a server. */
function fail(span: Span, code: string): void {
  span.setAttribute('error.type', code);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

/** The exporter, with what it can't send on our log: once until it works again. */
function reporting(exporter: OTLPTraceExporter, logger: Logger): SpanExporter {
  let failing = false;
  return {
    export(spans: ReadableSpan[], done) {
      exporter.export(spans, (result) => {
        const failed = result.error !== undefined;
        if (failed && !failing) logger.warn({ err: result.error, spans: spans.length }, 'traces can\'t be sent to the collector, and are dropped');
        failing = failed;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
}

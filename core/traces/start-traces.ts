import type { Logger } from '../log.js';
import { NO_TRACES, type Traces } from './traces.js';

/** Where traces go. */
export interface TracesConfig {
  /** Of the collector's OTLP/HTTP receiver for traces. */
  url: string;
  /** Sent to it with each request; may hold a credential. */
  headers: Readonly<Record<string, string>>;
  serviceName: string;
  /** The share of traces that are kept, from 0 to 1. */
  ratio: number;
  /** Whether MCP servers are told the trace that a request belongs to. They are other people's: off unless an administrator wants it. */
  propagate: boolean;
}

/** Traces as configured. The SDK takes some 20 MB and half a second, so it is loaded only where there is a collector. */
export async function startTraces(config: TracesConfig | null, part: 'api' | 'operator', version: string, logger: Logger): Promise<Traces> {
  if (config === null) return NO_TRACES;
  const { OpenTelemetryTraces } = await import('./open-telemetry.js');
  return new OpenTelemetryTraces(config, part, version, logger);
}

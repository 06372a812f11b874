import { Counter, Histogram, type Registry } from 'prom-client';

/** How a GraphQL request ended: answered, answered with errors, or refused before it ran. */
export type RequestOutcome = 'ok' | 'errors' | 'refused';

/** The metrics of the HTTP side. Labels come from the schema and from a fixed set of routes, never from a client. */
export class HttpMetrics {
  readonly #graphql: Histogram<'operation' | 'outcome'>;
  readonly #requests: Counter<'route' | 'status'>;
  readonly #shed: Counter;
  /** The children of these by their labels: looking them up by labels costs more than counting. */
  readonly #durations = new Map<string, Histogram.Internal<'operation' | 'outcome'>>();
  readonly #counts = new Map<string, Counter.Internal>();

  constructor(registry: Registry) {
    this.#graphql = new Histogram({
      name: 'fairlead_graphql_request_duration_seconds',
      help: 'Time to answer a GraphQL request, by root field and outcome.',
      labelNames: ['operation', 'outcome'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers: [registry],
    });
    this.#requests = new Counter({
      name: 'fairlead_http_requests_total',
      help: 'HTTP requests answered, by route and status code.',
      labelNames: ['route', 'status'],
      registers: [registry],
    });
    this.#shed = new Counter({ name: 'fairlead_calls_shed_total', help: 'Calls of tools that were refused because more came in than this process can do.', registers: [registry] });
  }

  /** Counts one call of a tool that was refused because too many came in. */
  countShed(): void {
    this.#shed.inc();
  }

  /** Counts one answered HTTP request; `route` is the route's pattern, undefined when none matched. */
  countRequest(route: string | undefined, status: number): void {
    const key = `${status} ${route ?? 'none'}`;
    let count = this.#counts.get(key);
    if (count === undefined) this.#counts.set(key, count = this.#requests.labels({ route: route ?? 'none', status }));
    count.inc();
  }

  /** Records one answered GraphQL request; `operation` is null when it was refused before it was known. */
  observeGraphql(operation: string | null, outcome: RequestOutcome, seconds: number): void {
    const key = `${outcome} ${operation ?? 'none'}`;
    let duration = this.#durations.get(key);
    if (duration === undefined) this.#durations.set(key, duration = this.#graphql.labels({ operation: operation ?? 'none', outcome }));
    duration.observe(seconds);
  }
}

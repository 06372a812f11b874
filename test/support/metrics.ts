import { HttpMetrics } from '#api/http/metrics.js';
import { createRegistry, listenerGauge } from '#core/metrics.js';
import { UpkeepMetrics } from '#core/upkeep/upkeep-metrics.js';
import { OperatorMetrics } from '#operator/runtime/metrics.js';

/** The names of all metrics that API and operator have, as in one process. */
export function metricsOfAllPrograms(): ReadonlySet<string> {
  const registry = createRegistry();
  new OperatorMetrics(registry).watchHeartbeat(() => 0);
  listenerGauge(registry, 'operator');
  new HttpMetrics(registry).countRequest('/graphql', 200);
  // Both parts count the same things.
  for (const _part of ['api', 'operator']) new UpkeepMetrics(registry, () => 0).refreshed('success');
  return new Set(registry.getMetricsAsArray().map(({ name }) => name));
}

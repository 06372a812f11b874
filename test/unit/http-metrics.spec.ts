import { describe, expect, it } from '@jest/globals';
import { HttpMetrics } from '#api/http/metrics.js';
import { createRegistry, startMetricsServer } from '#core/metrics.js';

describe('the metrics listener', () => {
  it('answers Prometheus and probes on an address of its own, and nothing else', async () => {
    const registry = createRegistry();
    const ready = async () => ({ ok: true, checks: {} });
    new HttpMetrics(registry).countRequest('/graphql', 200);
    const server = await startMetricsServer({ registry, host: '127.0.0.1', port: 0, ready });
    try {
      const response = await fetch(server.url);
      expect([response.status, response.headers.get('content-type')]).toEqual([200, registry.contentType]);
      const text = await response.text();
      expect(text).toContain('fairlead_http_requests_total{route="/graphql",status="200"} 1');
      expect(text).toContain('process_cpu_seconds_total');
      expect((await fetch(new URL('/', server.url))).status).toBe(404);
      expect((await fetch(server.url, { method: 'POST' })).status).toBe(404);
      await expect(startMetricsServer({ registry, host: '127.0.0.1', port: server.port, ready })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    } finally {
      await server.close();
    }
  });
});

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** A Prometheus registry with the process's own figures (CPU, memory, event loop, garbage collection). */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** Says whether a part of this process hears PostgreSQL's notifications; parts that share a process share a registry. */
export function listenerGauge(registry: Registry, part: 'api' | 'operator'): (connected: boolean) => void {
  const name = 'fairlead_listener_connected';
  const gauge = (registry.getSingleMetric(name) as Gauge<'part'> | undefined)
    ?? new Gauge({ name, help: 'Whether notifications of the database are heard (1); polls stand in for them meanwhile (0).', labelNames: ['part'], registers: [registry] });
  gauge.set({ part }, 0);
  return (connected) => gauge.set({ part }, connected ? 1 : 0);
}

/** What a readiness check found: one line per part, by name. */
export interface Readiness {
  ok: boolean;
  checks: Record<string, string>;
}

/** A running metrics listener. */
export interface MetricsServer {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** What {@link startMetricsServer} serves, and where. */
export interface MetricsServerOptions {
  registry: Registry;
  host: string;
  port: number;
  /** Whether the process can do its work, for `/readyz`. */
  ready: () => Promise<Readiness>;
}

/**
 * Serves `GET /metrics` in Prometheus's text format, `/healthz` (the process answers: 200) and `/readyz` (200, or 503 with what is missing) on a listener of its own:
 * it needs no place behind the public address, and a probe doesn't wait in line with callers.
 */
export async function startMetricsServer({ registry, host, port: wanted, ready }: MetricsServerOptions): Promise<MetricsServer> {
  const answer = async (path: string | undefined, response: ServerResponse): Promise<void> => {
    if (path === '/metrics') {
      const text = await registry.metrics();
      response.writeHead(200, { 'content-type': registry.contentType }).end(text);
    } else if (path === '/healthz') {
      sendJson(response, 200, { status: 'ok' });
    } else if (path === '/readyz') {
      const { ok, checks } = await ready();
      sendJson(response, ok ? 200 : 503, { status: ok ? 'ok' : 'not ready', checks });
    } else response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('GET /metrics, /healthz and /readyz are all there is here.\n');
  };
  const server = createServer((request, response) => {
    answer(request.method === 'GET' ? request.url?.split('?')[0] : undefined, response).catch(() => response.writeHead(500).end());
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(wanted, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/metrics`,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' }).end(JSON.stringify(body));
}

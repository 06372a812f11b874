import type { FastifyInstance } from 'fastify';
import type { Readiness } from '#core/metrics.js';

/** Paths of the probes. They are answered for any `Host`: a kubelet asks by pod address. */
export const PROBE_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

/**
 * `GET /healthz`: the process answers. `GET /readyz`: it can do its work (200), or why not (503).
 */
export function addProbes(app: FastifyInstance, ready: () => Promise<Readiness>): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const { ok, checks } = await ready();
    return reply.code(ok ? 200 : 503).send({ status: ok ? 'ok' : 'not ready', checks });
  });
}

import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { createLogger } from '#core/log.js';
import { listenerGauge, startMetricsServer } from '#core/metrics.js';
import { deadAfterMs, Heartbeat } from '#operator/runtime/heartbeat.js';
import { OperatorMetrics } from '#operator/runtime/metrics.js';
import { metricsOfAllPrograms } from '#test/support/metrics.js';

/** What an operator says of itself when its database no longer hears it. */

describe('a heartbeat', () => {
  it('is as old as the last one that the database took, and too old after three intervals', async () => {
    let time = 0;
    let down = false;
    const heartbeat = new Heartbeat({
      worker: 'w', intervalMs: 100, clock: () => time, logger: createLogger('silent'),
      processes: { beat: async () => { if (down) throw new Error('no database'); return { keysEverywhere: [], operators: 1 }; }, remove: async () => undefined },
    });
    expect(heartbeat.alive).toBe(false);
    await heartbeat.start();
    time += deadAfterMs(100) - 1;
    expect([heartbeat.ageMs, heartbeat.alive]).toEqual([299, true]);
    down = true;
    time += 1;
    expect(heartbeat.alive).toBe(false);
    await heartbeat.stop();
    await expect(heartbeat.start()).rejects.toThrow('no database');
    expect(heartbeat.alive).toBe(false);
  });
});

describe('the port of metrics', () => {
  it('answers the probes of an operator: 503 with what is missing when it can\'t work', async () => {
    const registry = new Registry();
    const metrics = new OperatorMetrics(registry);
    metrics.watchHeartbeat(() => 1500);
    const connected = listenerGauge(registry, 'operator');
    listenerGauge(registry, 'api')(true);
    connected(true);
    connected(false);
    let ok = true;
    const server = await startMetricsServer({ registry, host: '127.0.0.1', port: 0, ready: async () => ({ ok, checks: { database: ok ? 'ok' : 'unreachable' } }) });
    const get = async (path: string) => {
      const response = await fetch(new URL(path, server.url));
      return [response.status, await response.text()];
    };
    expect(await get('/readyz')).toEqual([200, '{"status":"ok","checks":{"database":"ok"}}']);
    ok = false;
    expect(await get('/readyz')).toEqual([503, '{"status":"not ready","checks":{"database":"unreachable"}}']);
    expect(await get('/healthz')).toEqual([200, '{"status":"ok"}']);
    expect((await get('/else'))[0]).toBe(404);
    const text = String((await get('/metrics'))[1]);
    expect(text).toMatch(/^fairlead_operator_heartbeat_age_seconds 1\.5$/m);
    expect(text).toMatch(/^fairlead_listener_connected\{part="operator"\} 0$/m);
    expect(text).toMatch(/^fairlead_listener_connected\{part="api"\} 1$/m);
    await server.close();
  });

  it('shows every metric that docs/operations.md tells to watch', async () => {
    const shown = metricsOfAllPrograms();
    const told = [...readFileSync('docs/operations.md', 'utf8').matchAll(/`((?:fairlead|controller_runtime|workqueue|process|nodejs)_[a-z0-9_]+)/g)].map((match) => match[1]!);
    expect(told.length).toBeGreaterThan(15);
    expect(told.filter((name) => !shown.has(name))).toEqual([]);
    const ours = [...shown].filter((name) => /^(fairlead|controller_runtime|workqueue)_/.test(name));
    expect(ours.filter((name) => !told.includes(name))).toEqual([]);
  });
});

import { Registry } from 'prom-client';
import { loadConfig } from '#core/config/config.js';
import { createLogger } from '#core/log.js';
import { KeyRing } from '#core/vault/key-ring.js';
import type { LeaseTimes } from '#operator/kubernetes/leader-election.js';
import { LiveKeyRing } from '#core/vault/live-key-ring.js';
import { startOperator } from '#operator/start-operator.js';

/** A real operator in this process, beside an API or alone on its database. */
export interface TestOperator {
  metrics: Registry;
  /** Every line that was logged, at all levels. */
  logs(): string[];
  stop(): Promise<void>;
}

/** How a test's operator differs from that of `fairlead dev`. */
export interface TestOperatorOptions {
  /** Settings, as in the environment. */
  env?: Record<string, string>;
  print?: (line: string) => void;
  leaseTimes?: Partial<LeaseTimes>;
}

/** Starts an operator by its own composition root, as `fairlead dev` does. */
export async function startTestOperator({ databaseUrl, keys, url, env = {} }: { databaseUrl: string; keys: string; url: string; env?: Record<string, string> }, options: TestOperatorOptions = {}): Promise<TestOperator> {
  const lines: string[] = [];
  const metrics = new Registry();
  const config = loadConfig({ DATABASE_URL: databaseUrl, FAIRLEAD_KEYS: keys, FAIRLEAD_SHUTDOWN_TIMEOUT_MS: '5000', ...env, ...options.env }, 'dev');
  const operator = await startOperator(config, {
    databaseUrl, keyRing: new LiveKeyRing(KeyRing.parse(keys)), version: '0.0.0-test', publicUrl: url, metrics, ownPorts: [Number(new URL(url).port)],
    logger: createLogger('trace', { write: (line: string) => void lines.push(line) }), print: options.print, leaseTimes: options.leaseTimes,
  });
  return { metrics, logs: () => lines, stop: () => operator.stop() };
}

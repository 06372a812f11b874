import { resolve } from 'node:path';
import { startChild, type Child } from './child.js';

const DOOR = resolve('bin/fairlead.js');

/** A real `fairlead operator` in a process of its own. */
export interface OperatorProcess extends Child {
  /** Where its metrics and probes are. */
  metricsUrl: string;
  /** What it logged, with this message. */
  logged(message: string): Record<string, unknown>[];
}

/** Starts one on a migrated database, and waits until it works; loopback servers are allowed. */
export async function startOperatorProcess(options: { databaseUrl: string; keys: string; env?: Record<string, string> }): Promise<OperatorProcess> {
  const { databaseUrl, keys, env } = options;
  const child = startChild([process.execPath, DOOR, 'operator'], {
    env: {
      PATH: process.env['PATH'], DATABASE_URL: databaseUrl, FAIRLEAD_KEYS: keys, FAIRLEAD_PUBLIC_URL: 'http://127.0.0.1:9', FAIRLEAD_EGRESS_ALLOW: '127.0.0.1',
      FAIRLEAD_METRICS_PORT: '0', FAIRLEAD_MIGRATE: 'off', FAIRLEAD_DATABASE_POOL_SIZE: '4', ...env,
    },
  });
  await child.line(/^The operator works/);
  const lines = () => child.output.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
  const logged = (message: string) => lines().filter(({ msg }) => msg === message);
  return Object.assign(child, { logged, metricsUrl: String(logged('metrics and probes are served')[0]?.['url']) });
}

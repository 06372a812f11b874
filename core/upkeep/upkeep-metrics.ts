import { Counter, Histogram, type Registry } from 'prom-client';
import type { OAuthFaultCode } from '../oauth/fault.js';
import type { Prober } from './upkeep.js';

/**
 * How a presentation of a refresh token ended.
 *
 * | | |
 * |---|---|
 * | `success` | new tokens are stored |
 * | `temporary` | nothing was consumed: tried again by itself |
 * | `refused` | the provider refused, for now or for good |
 * | `consent_required` | the refresh token is dead: the login's owner must consent again |
 * | `client_refused` | the provider doesn't accept our client |
 * | `unusable` | the answer can't be used, and the token isn't presented again |
 * | `unknown` | no answer came: presented once more, when the access token has ended |
 * | `lost` | the process that presented it died before it stored the answer: as `unknown` |
 */
export type RefreshEnd = 'success' | 'temporary' | 'refused' | 'consent_required' | 'client_refused' | 'unusable' | 'unknown' | 'lost';

/** How the fault of a refresh counts. */
export function refreshEnd(code: OAuthFaultCode): RefreshEnd {
  switch (code) {
    case 'INVALID_GRANT': return 'consent_required';
    case 'INVALID_CLIENT': return 'client_refused';
    case 'INVALID_ANSWER': return 'unusable';
    case 'OUTCOME_UNKNOWN': return 'unknown';
    case 'REFUSED':
    case 'ACCESS_DENIED': return 'refused';
    default: return 'temporary';
  }
}

/** What is counted of the acts that keep connections true, by whichever process does them; parts that share a process share a registry. */
export class UpkeepMetrics {
  readonly #refreshes: Counter<'outcome'>;
  readonly #probes: Counter<'verdict'>;
  readonly #probeTime: Histogram;

  constructor(registry: Registry, private readonly clock: () => number) {
    const registers = [registry];
    this.#refreshes = existing(registry, 'fairlead_token_refreshes_total') ?? new Counter({
      name: 'fairlead_token_refreshes_total', help: 'Presentations of OAuth refresh tokens, by outcome.', labelNames: ['outcome'], registers,
    });
    this.#probes = existing(registry, 'fairlead_probes_total') ?? new Counter({
      name: 'fairlead_probes_total', help: 'Looks at MCP servers, with and without a credential, by verdict.', labelNames: ['verdict'], registers,
    });
    this.#probeTime = existing(registry, 'fairlead_probe_duration_seconds') ?? new Histogram({
      name: 'fairlead_probe_duration_seconds', help: 'How long looks at MCP servers took.', buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60], registers,
    });
  }

  /** A refresh token was presented, and this came of it. */
  refreshed(outcome: RefreshEnd): void {
    this.#refreshes.inc({ outcome });
  }

  /** The same prober, counted. */
  counted(probe: Prober): Prober {
    return async (...args) => {
      const began = this.clock();
      const report = await probe(...args);
      this.#probes.inc({ verdict: report.verdict.toLowerCase() });
      this.#probeTime.observe((this.clock() - began) / 1000);
      return report;
    };
  }
}

function existing<T>(registry: Registry, name: string): T | undefined {
  return registry.getSingleMetric(name) as T | undefined;
}

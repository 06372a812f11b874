import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ScheduledKind } from '#core/store/schedule.js';

/** How a run ended, in the words of controller-runtime. */
export type RunOutcome = 'success' | 'requeue_after' | 'error';

/** The operator's metrics, under controller-runtime's names where it has them (https://book.kubebuilder.io/reference/metrics-reference). */
export class OperatorMetrics {
  readonly #runs: Counter<'controller' | 'result'>;
  readonly #errors: Counter<'controller'>;
  readonly #terminal: Counter<'controller'>;
  readonly #time: Histogram<'controller'>;
  readonly #active: Gauge<'controller'>;
  readonly #depth: Gauge<'name'>;
  readonly #lag: Gauge<'name'>;
  readonly #late: Histogram<'name'>;
  readonly #requests: Counter<'method' | 'code'>;

  constructor(private readonly registry: Registry) {
    const registers = [registry];
    const controller = ['controller'] as const;
    this.#runs = new Counter({ name: 'controller_runtime_reconcile_total', help: 'Runs, by kind and result.', labelNames: ['controller', 'result'], registers });
    this.#errors = new Counter({ name: 'controller_runtime_reconcile_errors_total', help: 'Runs that failed.', labelNames: controller, registers });
    this.#terminal = new Counter({ name: 'controller_runtime_terminal_reconcile_errors_total', help: 'Runs that failed for good.', labelNames: controller, registers });
    this.#time = new Histogram({
      name: 'controller_runtime_reconcile_time_seconds', help: 'How long runs took.', labelNames: controller, buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 90], registers,
    });
    this.#active = new Gauge({ name: 'controller_runtime_active_workers', help: 'Runs under way.', labelNames: controller, registers });
    this.#depth = new Gauge({ name: 'workqueue_depth', help: 'Objects that are due and that nobody has claimed, in the whole installation.', labelNames: ['name'], registers });
    this.#lag = new Gauge({ name: 'fairlead_schedule_lag_seconds', help: 'How long the oldest of them has been due.', labelNames: ['name'], registers });
    this.#requests = new Counter({ name: 'rest_client_requests_total', help: 'Requests to the Kubernetes API server, by method and status.', labelNames: ['method', 'code'], registers });
    this.#late = new Histogram({
      name: 'workqueue_queue_duration_seconds', help: 'How late objects were claimed.', labelNames: ['name'], buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300], registers,
    });
  }

  /** @param ageMs how long ago the database last took a heartbeat of this operator */
  watchHeartbeat(ageMs: () => number): void {
    const gauge: Gauge = new Gauge({
      name: 'fairlead_operator_heartbeat_age_seconds', help: 'How long ago the database last took a heartbeat of this operator; others take its work over when it is too long.', registers: [this.registry],
      collect: () => gauge.set(ageMs() / 1000),
    });
  }

  /** A run begins. */
  began(kind: ScheduledKind, lateMs: number): void {
    this.#active.inc({ controller: kind });
    this.#late.observe({ name: kind }, Math.max(0, lateMs) / 1000);
  }

  /** A run has ended; `terminal` only with `error`. */
  ended(kind: ScheduledKind, outcome: RunOutcome, terminal: boolean, seconds: number): void {
    this.#active.dec({ controller: kind });
    this.#runs.inc({ controller: kind, result: outcome });
    this.#time.observe({ controller: kind }, seconds);
    if (outcome === 'error') this.#errors.inc({ controller: kind });
    if (terminal) this.#terminal.inc({ controller: kind });
  }

  /** A request to the Kubernetes API server was answered, or wasn't. */
  requested(method: string, code: string): void {
    this.#requests.inc({ method, code });
  }

  /** What waits, as it was counted last. */
  waiting(kind: ScheduledKind, due: number, lagMs: number): void {
    this.#depth.set({ name: kind }, due);
    this.#lag.set({ name: kind }, lagMs / 1000);
  }
}

import type { Violation } from './violation.js';

/**
 * How a check ended: valid; `INVALID` with at most ten violations; `SCHEMA_UNUSABLE`, the server's fault, and no value can pass until it offers another schema; `NOT_IN_TIME`, nothing is known,
 * which is no permission. Messages are fit to be shown.
 */
export type CheckOutcome =
  | { ok: true }
  | { ok: false; reason: 'INVALID'; errors: Violation[] }
  | { ok: false; reason: 'SCHEMA_UNUSABLE'; message: string }
  | { ok: false; reason: 'NOT_IN_TIME'; message: string };

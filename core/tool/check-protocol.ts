import type { Violation } from './violation.js';

/** What a check worker is asked, one at a time. */
export interface CheckRequest {
  key: string;
  /** Missing where this worker has compiled the key's schema before. */
  schema?: unknown;
  value: unknown;
  /** Forget all compiled schemas first. */
  forget: boolean;
}

/** What a check worker says: `READY` once; then to a request perhaps `COMPILED`, and one of the others. */
export type CheckReply =
  | { kind: 'READY' }
  | { kind: 'COMPILED' }
  | { kind: 'CHECKED'; violations: Violation[] }
  | { kind: 'UNUSABLE'; message: string }
  | { kind: 'FAILED' };

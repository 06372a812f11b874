/**
 * The error families of Fairlead. One class per family, each with a closed set of codes (docs/adr/0003).
 * `message` is internal (logs only); `publicMessage` is what GraphQL, conditions and audit may show.
 */

/** Codes of `UserError` in the contract: expected failures that are answered as data. */
export const USER_FAULT_CODES = [
  'INVALID', 'NOT_FOUND', 'FORBIDDEN', 'ALREADY_EXISTS', 'STALE_VERSION', 'MANAGED_BY_MANIFEST', 'NOT_AVAILABLE',
  'SERVER_REFUSED', 'OAUTH_NOT_SUPPORTED', 'CLIENT_REQUIRED', 'CREDENTIAL_REJECTED', 'NOT_CONNECTED',
  'AMBIGUOUS_ENROLLMENT', 'ENROLLMENT_SUSPENDED', 'ACTION_REQUIRED', 'TOOL_UNKNOWN', 'TOOL_DENIED', 'TOOL_CHANGED',
  'ARGUMENTS_INVALID', 'IDEMPOTENCY_MISMATCH', 'RATE_LIMITED', 'OVERLOADED', 'CIRCUIT_OPEN',
] as const;
export type UserFaultCode = (typeof USER_FAULT_CODES)[number];

/** Codes of `ToolCall.error` in the contract: what went wrong after a call was accepted. */
export const CALL_FAULT_CODES = [
  'UNREACHABLE', 'TIMEOUT', 'UNAUTHORIZED', 'INSUFFICIENT_SCOPE', 'RESULT_TOO_LARGE', 'RESULT_INVALID',
  'PROTOCOL_ERROR', 'INPUT_REQUIRED', 'TASK_REQUIRED',
] as const;
export type CallFaultCode = (typeof CALL_FAULT_CODES)[number];

/** What the person or program should do next; `url` is always one of our own pages, never a peer's. */
export interface NextAction {
  label: string;
  url: string | null;
}

/** Optional evidence of a {@link UserFault}. */
export interface UserFaultOptions {
  /** Path into the mutation's input, e.g. `['input', 'serverUrl']`. */
  field?: string[];
  retryable?: boolean;
  retryAfterMs?: number;
  action?: NextAction;
  cause?: unknown;
}

/** The caller's mistake, or an expected refusal: becomes a `UserError`. `publicMessage` says the next step. */
export class UserFault extends Error {
  override readonly name = 'UserFault';
  readonly field: string[] | null;
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;
  readonly action: NextAction | null;
  constructor(readonly code: UserFaultCode, readonly publicMessage: string, options: UserFaultOptions = {}) {
    super(`${code}: ${publicMessage}`, { cause: options.cause });
    this.field = options.field ?? null;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.action = options.action ?? null;
  }
}

/** Optional evidence of a {@link PeerFault}. */
export interface PeerFaultOptions {
  /**
   * `NOTHING`: provably no byte of the request reached the server (it may be sent again).
   * `REFUSED`: the server answered with a refusal before doing anything (401, 404 for our session).
   * `MAYBE`: the server may have acted; the outcome is unknown unless an answer says otherwise.
   */
  sent?: 'NOTHING' | 'REFUSED' | 'MAYBE';
  retryAfterMs?: number;
  /** HTTP status, where there was one. */
  status?: number;
  /** The peer's `WWW-Authenticate` value, for challenges. */
  challenge?: string;
  cause?: unknown;
}

/** The peer's mistake or failure: an MCP server that can't be reached, refuses us, or answers nonsense. */
export class PeerFault extends Error {
  override readonly name = 'PeerFault';
  readonly sent: 'NOTHING' | 'REFUSED' | 'MAYBE';
  readonly retryAfterMs: number | null;
  readonly status: number | null;
  readonly challenge: string | null;
  constructor(readonly code: CallFaultCode, readonly publicMessage: string, options: PeerFaultOptions = {}) {
    super(`${code}: ${publicMessage}`, { cause: options.cause });
    this.sent = options.sent ?? 'MAYBE';
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.status = options.status ?? null;
    this.challenge = options.challenge ?? null;
  }
}

/** An invariant of ours is broken: our fault, never shown to a client beyond a request id. */
export class InvariantBroken extends Error {
  override readonly name = 'InvariantBroken';
}

/** Text that a peer supplied, as one harmless line: control characters (those of writing direction too) replaced, cut to `max` characters. */
export function plainPeer(text: string, max: number): string {
  // eslint-disable-next-line no-control-regex -- replacing control characters is the point
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ').trim();
  return (plain.length > max ? `${plain.slice(0, max)}…` : plain).toWellFormed();
}

/** Quotes text that a peer supplied, for use inside our own messages: see {@link plainPeer}. */
export function quotePeer(text: string, max = 200): string {
  return JSON.stringify(plainPeer(text, max));
}

import { PeerFault, UserFault, type NextAction } from '#core/errors.js';
import { EgressError } from '#core/egress/errors.js';
import { RpcFault, SessionForgotten } from '#core/mcp/faults.js';
import { CallCancelled } from '#core/mcp/session.js';
import type { ToolCallFault, ToolCallStatus } from '#core/store/entities/tool-call.entity.js';
import type { CallContent } from './call-request.js';

/** How a call ended. */
export interface Outcome {
  status: Exclude<ToolCallStatus, 'RUNNING' | 'PENDING_APPROVAL' | 'DENIED'>;
  error: ToolCallFault | null;
  content: CallContent | null;
}

/** A result that came through: the tool's own failure is a status of its own. */
export function answered(isError: boolean, content: CallContent): Outcome {
  return { status: isError ? 'TOOL_ERROR' : 'SUCCEEDED', error: null, content };
}

/**
 * A result that breaks the tool's output schema. It was read whole, so it is known that the tool ran: `FAILED`, not `OUTCOME_UNKNOWN`;
 * running it again would do the work twice, so it isn't retryable.
 */
export function invalidResult(where: string): Outcome {
  return failed('FAILED', { code: 'RESULT_INVALID', message: `The tool ran, but its result doesn't match the output schema that it declares: ${where.replace(/\.$/, '')}. Tell the server's maintainers.` });
}

/** What stays on record when a fault of ours ended a call; `sent` says whether the server may have acted. */
export function brokenOff(sent: 'NOTHING' | 'MAYBE', requestId: string): Outcome {
  return sent === 'NOTHING'
    ? failed('FAILED', { code: 'UNREACHABLE', message: `Nothing was sent, because of a fault in Fairlead (request ${requestId}). Try again.`, retryable: true })
    : failed('OUTCOME_UNKNOWN', { code: 'PROTOCOL_ERROR', message: `A fault in Fairlead (request ${requestId}) ended the call. The tool may have run: look before you call again.` });
}

/**
 * The outcome that an exception means (design section 6, step 7), or null when it is a fault of ours.
 *
 * | the server | |
 * |---|---|
 * | got nothing | `FAILED` or `CANCELLED` |
 * | refused before doing anything, or answered with a JSON-RPC error | `FAILED` |
 * | may have acted | `OUTCOME_UNKNOWN`, never retryable |
 *
 * @param repair what the caller should do about a credential that is refused, or that has too few rights
 */
export function outcomeOf(error: unknown, repair: NextAction | null = null): Outcome | null {
  if (error instanceof CallCancelled) return cancelled(error.sent);
  // Only the session pool refuses that late: every session is in use.
  if (error instanceof UserFault) return failed('FAILED', { code: 'UNREACHABLE', message: error.publicMessage, retryable: error.retryable, retryAfterMs: error.retryAfterMs });
  if (!(error instanceof PeerFault)) return null;
  const { code, publicMessage: message, retryAfterMs } = error;
  const action = code === 'UNAUTHORIZED' || code === 'INSUFFICIENT_SCOPE' ? repair : null;
  return outcomeKnown(error)
    ? failed('FAILED', { code, message, retryable: worthRepeating(error), retryAfterMs, action })
    : failed('OUTCOME_UNKNOWN', { code, message: `${message} The tool may have run: look before you call again.` });
}

/** Somebody ended the call. */
export function cancelled(sent: 'NOTHING' | 'MAYBE'): Outcome {
  return sent === 'NOTHING'
    ? { status: 'CANCELLED', error: null, content: null }
    : failed('OUTCOME_UNKNOWN', { code: 'TIMEOUT', message: 'The call was cancelled while the server was at work. The tool may have run.' });
}

/** An answer in JSON-RPC says that the call failed, whatever its code; so does one that asks for what we can't give. */
function outcomeKnown(error: PeerFault): boolean {
  return error.sent !== 'MAYBE' || error instanceof RpcFault || error.code === 'INPUT_REQUIRED' || error.code === 'TASK_REQUIRED';
}

/** Whether the same call may succeed later: the server wasn't reached, was busy, or had forgotten us once too often. */
function worthRepeating(error: PeerFault): boolean {
  if (error.cause instanceof EgressError && error.cause.code === 'REFUSED') return false;
  return error instanceof SessionForgotten || ((error.code === 'UNREACHABLE' || error.code === 'TIMEOUT') && error.sent !== 'MAYBE');
}

function failed(status: 'FAILED' | 'OUTCOME_UNKNOWN', values: Partial<ToolCallFault> & Pick<ToolCallFault, 'code' | 'message'>): Outcome {
  return { status, error: fault(values), content: null };
}

function fault(values: Partial<ToolCallFault> & Pick<ToolCallFault, 'code' | 'message'>): ToolCallFault {
  return { retryable: false, retryAfterMs: null, action: null, ...values };
}

import type { Assignment } from '#core/store/entities/assignment.entity.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { ToolCallApproval } from '#core/store/entities/tool-call-approval.entity.js';
import type { CallProgress, ToolCall } from '#core/store/entities/tool-call.entity.js';
import type { Principal } from '../identity/principal.js';
import type { Slot } from './admission.js';

/** One `callTool`, unpacked from its transport; ids are decoded, JSON values are parsed. */
export interface CallRequest {
  principal: Principal;
  requestId: string;
  /** Aborts when the caller has gone: that cancels a call that has no key and waits. */
  signal: AbortSignal;
  /** Only with {@link connectionType}. */
  teamSlug?: string | null;
  /** Exactly one of name and id. */
  connectionType?: string | null;
  connectionTypeId?: string | null;
  tool: string;
  arguments: Record<string, unknown>;
  enrollmentId?: string | null;
  /** The assignment that the call is for; where a token acts for one, that. */
  assignmentId?: string | null;
  idempotencyKey?: string | null;
  /** Shortens the connection type's `calls.timeoutMs`; never lengthens it. */
  timeoutMs?: number | null;
  /** Its part in what this process works on; absent where nobody counts. */
  slot?: Slot | undefined;
  /** False: answer as soon as the call is on record, and let it run. */
  wait: boolean;
  /** See {@link HoldAnswer}; absent: the call's view is given when everything is committed. */
  hold?: HoldAnswer | undefined;
}

/**
 * Keeps the answer to a request back until this promise is kept, so that it is made ready while the database commits what must be on record before it leaves. Where the promise is broken, the
 * answer is an error of ours.
 */
export type HoldAnswer = (until: Promise<unknown>) => void;

/** Whether arguments and result can be shown: kept, never kept, or no longer kept. */
export const CONTENT_STATES = ['AVAILABLE', 'NOT_KEPT', 'EXPIRED'] as const;
export type ContentState = (typeof CONTENT_STATES)[number];

/** A call as one viewer may see it. */
export interface ToolCallView {
  record: ToolCall;
  /** Null for everybody but the caller and the person on whose behalf it was. */
  arguments: Record<string, unknown> | null;
  contentState: ContentState;
  /** MCP content blocks, values unchanged; null where there is no result to show. */
  content: unknown[] | null;
  structuredContent: unknown;
  /** How far the call says it is; for those who see its arguments and result. */
  progress?: CallProgress | null;
  /** The decision that it takes or took; null where it takes none. */
  approval?: ToolCallApproval | null;
  /** The rows that the call went by, where it was made just now: whoever shows it needn't read them again. */
  went?: { type: ConnectionType; enrollment: Enrollment; assignment: Assignment | null };
}

/** What a tool answered, scrubbed, as it is sealed and shown. */
export interface CallContent {
  content: unknown[];
  structuredContent?: unknown;
}

import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { CallFaultCode, NextAction } from '../../errors.js';

export const TOOL_CALL_STATUSES = ['RUNNING', 'SUCCEEDED', 'TOOL_ERROR', 'FAILED', 'CANCELLED', 'OUTCOME_UNKNOWN', 'PENDING_APPROVAL', 'DENIED'] as const;
export type ToolCallStatus = (typeof TOOL_CALL_STATUSES)[number];

/** Why a call did not succeed. */
export interface ToolCallFault {
  code: CallFaultCode;
  message: string;
  retryable: boolean;
  retryAfterMs: number | null;
  action: NextAction | null;
}

/** How far a running call says that it is: the server's word, and when it said so (RFC 3339). */
export interface CallProgress {
  progress: number;
  total: number | null;
  message: string | null;
  updatedAt: string;
}

/** The record of one call: who, on whose behalf, what and when. Names are snapshots; arguments and results are elsewhere, sealed. */
@Entity('tool_calls')
export class ToolCall {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('uuid', { name: 'process_id' }) processId!: string;
  @Column('uuid', { name: 'caller_id' }) callerId!: string;
  @Column('text', { name: 'caller_name' }) callerName!: string;
  @Column('uuid', { name: 'on_behalf_of_id', nullable: true }) onBehalfOfId!: string | null;
  @Column('text', { name: 'on_behalf_of_name', nullable: true }) onBehalfOfName!: string | null;
  @Column('uuid', { name: 'token_id', nullable: true }) tokenId!: string | null;
  @Column('text', { name: 'request_id' }) requestId!: string;
  @Column('uuid', { name: 'connection_type_id' }) connectionTypeId!: string;
  @Column('text', { name: 'connection_type_name' }) connectionTypeName!: string;
  @Column('uuid', { name: 'enrollment_id' }) enrollmentId!: string;
  @Column('text', { name: 'enrollment_label' }) enrollmentLabel!: string;
  @Column('text') tool!: string;
  @Column('text') status!: ToolCallStatus;
  @Column('jsonb', { nullable: true }) error!: ToolCallFault | null;
  @Column('timestamptz', { name: 'started_at' }) startedAt!: Date;
  @Column('timestamptz', { name: 'finished_at', nullable: true }) finishedAt!: Date | null;
  @Column('double precision', { name: 'duration_ms', nullable: true }) durationMs!: number | null;
  /** Whether arguments and result are kept for a while, in {@link ToolCallPayload}. */
  @Column('boolean') kept!: boolean;
  @Column('uuid', { name: 'assignment_id', nullable: true }) assignmentId!: string | null;
  @Column('text', { name: 'assignment_name', nullable: true }) assignmentName!: string | null;
  /** Written while the call runs, and only where it is kept. */
  @Column('jsonb', { nullable: true }) progress!: CallProgress | null;
  /** When somebody asked to cancel it; the process that makes the call looks for it. */
  @Column('timestamptz', { name: 'cancel_requested_at', nullable: true }) cancelRequestedAt!: Date | null;
}

/** Sealed arguments and result of a call with a key, an approval or `wait: false`; kept for 24 hours. */
@Entity('tool_call_payloads')
export class ToolCallPayload {
  @PrimaryColumn('uuid', { name: 'tool_call_id' }) toolCallId!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('bytea', { name: 'sealed_arguments', nullable: true }) sealedArguments!: Buffer | null;
  @Column('bytea', { name: 'sealed_result', nullable: true }) sealedResult!: Buffer | null;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt!: Date;
}

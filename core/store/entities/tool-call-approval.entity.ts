import { Column, Entity, PrimaryColumn } from 'typeorm';

/** `VOIDED`: the call was cancelled, or what was to be approved changed before it ran. */
export const APPROVAL_STATES = ['PENDING', 'APPROVED', 'DENIED', 'EXPIRED', 'VOIDED'] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

/** What becomes of a call that somebody else has to approve. It leaves `PENDING` once. */
@Entity('tool_call_approvals')
export class ToolCallApproval {
  @PrimaryColumn('uuid', { name: 'tool_call_id' }) toolCallId!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('text') state!: ApprovalState;
  /** A keyed hash of all that is approved: see api/call/binding.ts. */
  @Column('bytea') binding!: Buffer;
  /** What of the request the record of the call doesn't say. */
  @Column('uuid', { name: 'enrollment_asked', nullable: true }) enrollmentAsked!: string | null;
  @Column('integer', { name: 'timeout_ms', nullable: true }) timeoutMs!: number | null;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt!: Date;
  @Column('uuid', { name: 'decided_by_id', nullable: true }) decidedById!: string | null;
  @Column('text', { name: 'decided_by_name', nullable: true }) decidedByName!: string | null;
  @Column('timestamptz', { name: 'decided_at', nullable: true }) decidedAt!: Date | null;
  @Column('text', { nullable: true }) comment!: string | null;
}

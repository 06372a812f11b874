import { Column, Entity, PrimaryColumn } from 'typeorm';

export const AUDIT_OUTCOMES = ['SUCCEEDED', 'REFUSED', 'FAILED'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/** Who did what, and how it ended; holds no input values. */
@Entity('audit_events')
export class AuditEvent {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'team_id', nullable: true }) teamId!: string | null;
  @Column('uuid', { name: 'actor_id', nullable: true }) actorId!: string | null;
  @Column('text', { name: 'actor_name' }) actorName!: string;
  @Column('text', { name: 'on_behalf_of_name', nullable: true }) onBehalfOfName!: string | null;
  @Column('uuid', { name: 'token_id', nullable: true }) tokenId!: string | null;
  /** The mutation's name. */
  @Column('text') action!: string;
  @Column('text', { name: 'subject_type', nullable: true }) subjectType!: string | null;
  @Column('uuid', { name: 'subject_id', nullable: true }) subjectId!: string | null;
  @Column('text', { name: 'subject_name', nullable: true }) subjectName!: string | null;
  @Column('text') outcome!: AuditOutcome;
  @Column('text', { nullable: true }) code!: string | null;
  @Column('text', { name: 'request_id' }) requestId!: string;
  @Column('timestamptz', { name: 'occurred_at' }) occurredAt!: Date;
}

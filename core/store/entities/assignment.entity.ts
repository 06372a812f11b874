import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/** An automation that calls tools. `version` moves when its name or slots are changed, and with nothing else. */
@Entity('assignments')
export class Assignment {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('text') name!: string;
  @Column('integer') version!: number;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

/** A connection type that an assignment may use, and how. */
@Entity('assignment_slots')
export class AssignmentSlot {
  @PrimaryColumn('uuid', { name: 'assignment_id' }) assignmentId!: string;
  @PrimaryColumn('uuid', { name: 'connection_type_id' }) connectionTypeId!: string;
  /** The order that the slots were given in. */
  @Column('integer') position!: number;
  /** Names of tools, and patterns with `*`; null for all. */
  @Column('text', { name: 'allowed_tools', array: true, nullable: true }) allowedTools!: string[] | null;
  /** Names of tools whose calls wait for approval, and patterns with `*`. */
  @Column('text', { name: 'require_approval', array: true }) requireApproval!: string[];
}

/** Which enrollment an assignment goes through for a person. */
@Entity('assignment_pins')
export class AssignmentPin {
  @PrimaryColumn('uuid', { name: 'assignment_id' }) assignmentId!: string;
  @PrimaryColumn('uuid', { name: 'connection_type_id' }) connectionTypeId!: string;
  /** Null: for everybody. The enrollment is a shared one then. */
  @Column('uuid', { name: 'member_id', nullable: true }) memberId!: string | null;
  @PrimaryColumn('uuid', { name: 'enrollment_id' }) enrollmentId!: string;
}

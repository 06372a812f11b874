import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/** A changed or new definition that a manager may want to look at: against the definition that was there when somebody last accepted one. */
export interface ToolChange {
  /** Null for a tool that appeared. */
  fromHash: string | null;
  /** The definition of `fromHash`, as canonical JSON, to compare the next change with. */
  fromDefinition: string | null;
  toHash: string;
  diff: object;
  /** RFC 3339. */
  detectedAt: string;
}

/** A tool as one login (or, where listing needs none, the type) sees it. `scopeId` is the enrollment's id, or else the type's. */
@Entity('tools')
export class Tool {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('uuid', { name: 'connection_type_id' }) connectionTypeId!: string;
  @Column('uuid', { name: 'enrollment_id', nullable: true }) enrollmentId!: string | null;
  @Column('uuid', { name: 'scope_id' }) scopeId!: string;
  @Column('text') name!: string;
  /** The definition as canonical JSON. */
  @Column('text') definition!: string;
  @Column('text', { name: 'definition_hash' }) definitionHash!: string;
  /** The definition that may be called under `onChange: BLOCK`. */
  @Column('text', { name: 'accepted_hash' }) acceptedHash!: string;
  @Column('jsonb', { nullable: true }) change!: ToolChange | null;
  @Column('timestamptz', { name: 'removed_at', nullable: true }) removedAt!: Date | null;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
}

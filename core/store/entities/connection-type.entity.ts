import { Column, CreateDateColumn, DeleteDateColumn, Entity, PrimaryColumn } from 'typeorm';
import type { Condition } from '../../connection/condition.js';
import type { ConnectionTypeSpec, Origin } from '../../connection/spec.js';

/** A catalog entry. `version` is the generation of the spec and moves with nothing else. */
@Entity('connection_types')
export class ConnectionType {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('text') name!: string;
  @Column('jsonb') spec!: ConnectionTypeSpec;
  @Column('integer') version!: number;
  @Column('text') origin!: Origin;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
  /** When the spec was changed last. */
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
  /** Since when it is hidden: its manifest was deleted, and may come back. TypeORM's reads leave it out. */
  @DeleteDateColumn({ type: 'timestamptz', name: 'deleted_at' }) deletedAt?: Date | null;
}

/** What was observed of a connection type's server; a row of its own, so that it never moves the spec's version. */
@Entity('connection_type_status')
export class ConnectionTypeStatus {
  @PrimaryColumn('uuid', { name: 'connection_type_id' }) connectionTypeId!: string;
  @Column('jsonb') conditions!: Condition[];
  @Column('text', { nullable: true }) era!: 'LEGACY' | 'MODERN' | null;
  @Column('text', { name: 'protocol_version', nullable: true }) protocolVersion!: string | null;
  @Column('text', { name: 'server_name', nullable: true }) serverName!: string | null;
  @Column('text', { name: 'server_version', nullable: true }) serverVersion!: string | null;
  /** Set when the type has a list of tools of its own: it was read without a login, or through a shared enrollment. */
  @Column('text', { name: 'tools_source', nullable: true }) toolsSource!: 'ANONYMOUS' | 'SHARED' | null;
  @Column('timestamptz', { name: 'tools_synced_at', nullable: true }) toolsSyncedAt!: Date | null;
  @Column('timestamptz', { name: 'last_checked_at', nullable: true }) lastCheckedAt!: Date | null;
  /** Looks in a row that found no server. */
  @Column('integer', { name: 'failed_checks' }) failedChecks!: number;
  @Column('timestamptz', { name: 'next_check_at', nullable: true }) nextCheckAt!: Date | null;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

import { Column, CreateDateColumn, DeleteDateColumn, Entity, PrimaryColumn } from 'typeorm';
import type { Condition } from '../../connection/condition.js';
import type { AuthMethod, Origin } from '../../connection/spec.js';
import type { CredentialTarget } from '../../connection/target.js';

/** One person's credential for one connection type; the sealed value is in {@link Credential}. */
@Entity('enrollments')
export class Enrollment {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('uuid', { name: 'connection_type_id' }) connectionTypeId!: string;
  @Column('uuid', { name: 'owner_id' }) ownerId!: string;
  @Column('text') label!: string;
  @Column('boolean') shared!: boolean;
  @Column('text') origin!: Origin;
  /** Where its owner last agreed that the credential may go. */
  @Column('jsonb', { name: 'confirmed_target' }) confirmedTarget!: CredentialTarget;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
  /** Since when it is hidden: its manifest, or that of its type, was deleted, and may come back. TypeORM's reads leave it out. */
  @DeleteDateColumn({ type: 'timestamptz', name: 'deleted_at' }) deletedAt?: Date | null;
}

/** What was observed of an enrollment's login. */
@Entity('enrollment_status')
export class EnrollmentStatus {
  @PrimaryColumn('uuid', { name: 'enrollment_id' }) enrollmentId!: string;
  @Column('jsonb') conditions!: Condition[];
  /** When this login's own list of tools was read; null while it has none. */
  @Column('timestamptz', { name: 'tools_synced_at', nullable: true }) toolsSyncedAt!: Date | null;
  /** When the server was last asked with this credential, and answered. */
  @Column('timestamptz', { name: 'tried_at', nullable: true }) triedAt!: Date | null;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

/** Which part of a credential is set, and since when; never its value. */
export interface CredentialField {
  name: string;
  isSet: boolean;
  /** RFC 3339, null while it is not set. */
  updatedAt: string | null;
}

/** A sealed credential. `version` is its fence: it moves whenever the value or the place it may go to changes. */
@Entity('credentials')
export class Credential {
  @PrimaryColumn('uuid', { name: 'enrollment_id' }) enrollmentId!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('text') kind!: AuthMethod;
  @Column('integer') version!: number;
  @Column('bytea', { nullable: true }) sealed!: Buffer | null;
  @Column('jsonb') fields!: CredentialField[];
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

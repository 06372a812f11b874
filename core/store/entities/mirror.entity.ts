import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';
import type { Condition } from '../../connection/condition.js';
import type { Origin } from '../../connection/spec.js';

export const NAMESPACE_STATES = ['WAITING', 'BOUND', 'FROZEN'] as const;
/**
 * Where the binding of a namespace stands:
 *
 *     WAITING ──labelled with the team──▶ BOUND ──label changed, namespace or cluster another──▶ FROZEN ──as it was again──▶ BOUND
 */
export type NamespaceState = (typeof NAMESPACE_STATES)[number];

/** One team, one namespace. */
@Entity('mirror_namespaces')
export class MirrorNamespace {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('text') namespace!: string;
  /** The uid of the namespace `kube-system`; null until the namespace was seen. */
  @Column('text', { name: 'cluster_uid', nullable: true }) clusterUid!: string | null;
  @Column('text', { name: 'namespace_uid', nullable: true }) namespaceUid!: string | null;
  @Column('text') state!: NamespaceState;
  /** Why it stands where it does, for people. */
  @Column('text') message!: string;
  /** Since when so many objects were deleted at once that their grace doesn't end until an administrator confirms. */
  @Column('timestamptz', { name: 'held_since', nullable: true }) heldSince!: Date | null;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

/**
 * Where the binding of an object stands:
 *
 *     ACTIVE ──manifest deleted──▶ TOMBSTONE ──grace is over──▶ (gone)         (hidden; the same manifest again brings it back)
 *       ├──deletionPolicy Retain, CRD vanished──▶ ORPHANED                     (the row stays; the same manifest, or takeOwnership, takes it)
 *       └──offerOwnership (origin API)──▶ OFFERED ──adopting manifest──▶ ACTIVE (origin MANIFEST)
 */
export type MirrorState = 'ACTIVE' | 'TOMBSTONE' | 'ORPHANED' | 'OFFERED';

/** One custom resource by its place, and the row that it is the other side of. */
@Entity('mirror_objects')
export class MirrorObject {
  @PrimaryColumn('uuid') id!: string;
  /** Null while its namespace belongs to no team. */
  @Column('uuid', { name: 'team_id', nullable: true }) teamId!: string | null;
  @Column('text') kind!: 'ConnectionType' | 'Enrollment';
  @Column('text') namespace!: string;
  @Column('text') name!: string;
  @Column('text') origin!: Origin;
  @Column('text') state!: MirrorState;
  /** Of the custom resource; null while there is none that is ours. */
  @Column('text', { name: 'object_uid', nullable: true }) objectUid!: string | null;
  /** The row of the kind; null while there is none. */
  @Column('uuid', { name: 'subject_id', nullable: true }) subjectId!: string | null;
  /** Of enrollments from manifests: the connection type's name. */
  @Column('text', { name: 'type_name', nullable: true }) typeName!: string | null;
  /** The pair: this generation of the custom resource is that version of the row. PostgreSQL's bigint comes as text. */
  @Column('bigint', { nullable: true }) generation!: string | null;
  @Column('integer', { nullable: true }) version!: number | null;
  /** Of mirrors: a hash of the spec that was applied last; what differs from it was changed by somebody else. */
  @Column('text', { name: 'applied_hash', nullable: true }) appliedHash!: string | null;
  /** What the mirror itself has to say, for as long as there is no row to say it of. */
  @Column('jsonb') conditions!: Condition[];
  /** A keyed hash of the values that were read from Secrets and are in use. */
  @Column('bytea', { name: 'secret_hash', nullable: true }) secretHash!: Buffer | null;
  /** The same of values that the server refused: they aren't tried again. */
  @Column('bytea', { name: 'refused_hash', nullable: true }) refusedHash!: Buffer | null;
  @Column('timestamptz', { name: 'secrets_read_at', nullable: true }) secretsReadAt!: Date | null;
  /** Of types: who a client's secret went to, when its manifest was last known to mean that; null: nobody yet, or none that counts for the address that the manifest names now. */
  @Column('text', { name: 'secret_place', nullable: true }) secretPlace!: string | null;
  /** Reads in a row that found no usable Secret. */
  @Column('integer', { name: 'secret_failures' }) secretFailures!: number;
  /** The manifest asks for the enrollment to be shared. */
  @Column('boolean', { name: 'share_asked' }) shareAsked!: boolean;
  /** It may be: a credential from Secrets from the beginning; a login, and what was adopted, when its owner says so. */
  @Column('boolean', { name: 'share_agreed' }) shareAgreed!: boolean;
  /** What it was bound to ended, with its connection type or its owner: it is bound again, but suspended. */
  @Column('boolean', { name: 'lost_type' }) lostType!: boolean;
  @Column('timestamptz', { name: 'tombstoned_at', nullable: true }) tombstonedAt!: Date | null;
  /** When a tombstone ends; null: not before an administrator confirms. */
  @Column('timestamptz', { name: 'grace_until', nullable: true }) graceUntil!: Date | null;
  @Column('integer', { name: 'grace_seconds' }) graceSeconds!: number;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';
import type { Role } from '../../connection/role.js';

/** A person or machine user in a team. The same (local, subject) in two teams is the same person. */
@Entity('members')
export class Member {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('text') subject!: string;
  @Column('boolean') local!: boolean;
  @Column('text', { name: 'display_name' }) displayName!: string;
  /** Of a person: the address that the issuer said it verified, when they signed in last. Null when none was ever seen, and for local members. */
  @Column('text', { nullable: true }) email!: string | null;
  @Column('text') role!: Role;
  /** `CLAIM`: the role follows the groups claim of the OIDC issuer; `API`: it was set through `setMember`. */
  @Column('text') source!: 'API' | 'CLAIM';
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' }) updatedAt!: Date;
}

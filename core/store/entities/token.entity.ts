import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/**
 * A Fairlead token: only its hash is kept. `INSTALLATION` is the local administrator's; `PERSONAL` acts as its creator;
 * `LOCAL_MEMBER` acts as a local member, with at most its creator's role; `ASSIGNMENT` acts for an assignment, and as no member.
 */
@Entity('tokens')
export class Token {
  @PrimaryColumn('uuid') id!: string;
  @Column('text') kind!: 'INSTALLATION' | 'PERSONAL' | 'LOCAL_MEMBER' | 'ASSIGNMENT';
  @Column('uuid', { name: 'team_id', nullable: true }) teamId!: string | null;
  @Column('uuid', { name: 'member_id', nullable: true }) memberId!: string | null;
  @Column('uuid', { name: 'creator_id', nullable: true }) creatorId!: string | null;
  /**
   * Those who stand behind the token that this one was made with: none of its creator's creators may have left, and its role exceeds none of theirs.
   * Empty for tokens that were made without a token, or with one's own.
   */
  @Column('uuid', { name: 'voucher_ids', array: true }) voucherIds!: string[];
  @Column('uuid', { name: 'assignment_id', nullable: true }) assignmentId!: string | null;
  /** With an assignment: whether its calls go through its creator's enrollments. */
  @Column('boolean', { name: 'on_behalf_of' }) onBehalfOf!: boolean;
  /** Bounds of the calls that are made with it; null for none. */
  @Column('integer', { name: 'rate_per_minute', nullable: true }) ratePerMinute!: number | null;
  @Column('integer', { nullable: true }) concurrency!: number | null;
  @Column('text') name!: string;
  @Column('text') prefix!: string;
  @Column('bytea') hash!: Buffer;
  @Column('timestamptz', { name: 'expires_at', nullable: true }) expiresAt!: Date | null;
  @Column('timestamptz', { name: 'last_used_at', nullable: true }) lastUsedAt!: Date | null;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
}

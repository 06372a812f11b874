import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/**
 * The life of an OAuth enrollment's tokens; the tokens themselves are the sealed value of its `Credential`, whose version is the fence.
 * An attempt to refresh is on record here before it is sent.
 */
@Entity('oauth_grants')
export class OAuthGrant {
  @PrimaryColumn('uuid', { name: 'enrollment_id' }) enrollmentId!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  /** The client that the tokens were issued to; null before the first consent. */
  @Column('uuid', { name: 'client_id', nullable: true }) clientId!: string | null;
  @Column('text', { nullable: true }) issuer!: string | null;
  /** Granted. */
  @Column('text', { array: true }) scopes!: string[];
  /** To be asked for at the next consent, besides the usual ones (step-up). */
  @Column('text', { name: 'wanted_scopes', array: true }) wantedScopes!: string[];
  @Column('timestamptz', { name: 'obtained_at', nullable: true }) obtainedAt!: Date | null;
  @Column('timestamptz', { name: 'expires_at', nullable: true }) expiresAt!: Date | null;
  /** Whether there is a refresh token. */
  @Column('boolean') refreshable!: boolean;
  @Column('timestamptz', { name: 'refresh_at', nullable: true }) refreshAt!: Date | null;
  @Column('timestamptz', { name: 'last_refresh_at', nullable: true }) lastRefreshAt!: Date | null;
  @Column('integer', { name: 'failed_refreshes' }) failedRefreshes!: number;
  @Column('timestamptz', { name: 'next_attempt_at', nullable: true }) nextAttemptAt!: Date | null;
  @Column('uuid', { name: 'attempt_id', nullable: true }) attemptId!: string | null;
  /** The credential version whose refresh token the attempt presents. */
  @Column('integer', { name: 'attempt_version', nullable: true }) attemptVersion!: number | null;
  /** The attempt's lease: outlives the request's deadline. */
  @Column('timestamptz', { name: 'attempt_until', nullable: true }) attemptUntil!: Date | null;
  /** `RefreshOutcomeUnknown`: an answer for the present version was lost; its refresh token may be presented once more, and only once. */
  @Column('timestamptz', { name: 'outcome_unknown_at', nullable: true }) outcomeUnknownAt!: Date | null;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

/**
 * Where a consent stands:
 *
 *     LINKED ──POST of our page──▶ SENT ──callback, once──▶ FINISHING ──▶ READY, DENIED, FAILED
 *        └──────────────10 minutes─┴──────────────────────────┴──▶ EXPIRED
 */
export type OAuthAuthorizationState = 'LINKED' | 'SENT' | 'FINISHING' | 'READY' | 'DENIED' | 'FAILED' | 'EXPIRED';

/** One run of the consent flow, started by a person for their own enrollment. */
@Entity('oauth_authorizations')
export class OAuthAuthorization {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('uuid', { name: 'enrollment_id' }) enrollmentId!: string;
  @Column('uuid', { name: 'member_id' }) memberId!: string;
  @Column('text') state!: OAuthAuthorizationState;
  /** SHA-256 of the single-use link's token. */
  @Column('bytea', { name: 'link_hash' }) linkHash!: Buffer;
  /** SHA-256 of the cookie of the browser that went on; the callback demands it. */
  @Column('bytea', { name: 'cookie_hash', nullable: true }) cookieHash!: Buffer | null;
  /** SHA-256 of OAuth's `state`. */
  @Column('bytea', { name: 'state_hash', nullable: true }) stateHash!: Buffer | null;
  /** JSON: the PKCE verifier and what else the callback needs. */
  @Column('bytea', { nullable: true }) sealed!: Buffer | null;
  @Column('uuid', { name: 'client_id', nullable: true }) clientId!: string | null;
  @Column('text', { nullable: true }) issuer!: string | null;
  @Column('text', { array: true }) scopes!: string[];
  @Column('text', { name: 'return_url', nullable: true }) returnUrl!: string | null;
  /** Why it ended as it did, for people. */
  @Column('text', { nullable: true }) message!: string | null;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt!: Date;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

/** Something that must be undone at a provider although its enrollment or type is gone. */
@Entity('oauth_leftovers')
export class OAuthLeftover {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('text') kind!: 'TOKENS' | 'CLIENT';
  @Column('text', { name: 'subject_name' }) subjectName!: string;
  @Column('text') issuer!: string;
  @Column('bytea', { nullable: true }) sealed!: Buffer | null;
  @Column('text') outcome!: 'PENDING' | 'REVOKED' | 'NOT_SUPPORTED' | 'ABANDONED';
  @Column('text') message!: string;
  @Column('integer') attempts!: number;
  @Column('timestamptz', { name: 'next_attempt_at', nullable: true }) nextAttemptAt!: Date | null;
  @Column('timestamptz', { name: 'give_up_at' }) giveUpAt!: Date;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

export const REGISTRATION_METHODS = ['PREREGISTERED', 'METADATA_DOCUMENT', 'DYNAMIC'] as const;
export type RegistrationMethod = (typeof REGISTRATION_METHODS)[number];

/**
 * Where a client stands:
 *
 *     PENDING ──answered──▶ ACTIVE ──purged, issuer moved, replaced──▶ RETIRED
 *        ├──refused──▶ REFUSED          (in the issuer's words; a manager enters a client)
 *        └──no answer──▶ OUTCOME_UNKNOWN (the issuer may have one that we don't know: a person decides)
 */
export type OAuthClientState = 'PENDING' | 'ACTIVE' | 'OUTCOME_UNKNOWN' | 'REFUSED' | 'RETIRED';

/** A connection type's client at one issuer and one redirect URI. At most one per type isn't RETIRED. */
@Entity('oauth_clients')
export class OAuthClient {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'team_id' }) teamId!: string;
  @Column('uuid', { name: 'connection_type_id' }) connectionTypeId!: string;
  @Column('text') issuer!: string;
  /** Of the issuer's token endpoint when the client was recorded; null where that was not noted. */
  @Column('text', { name: 'token_host', nullable: true }) tokenHost!: string | null;
  @Column('text', { name: 'redirect_uri' }) redirectUri!: string;
  @Column('text') method!: RegistrationMethod;
  @Column('text') state!: OAuthClientState;
  /** The fence of `sealed`: moves with every new secret or registration access token. */
  @Column('integer') version!: number;
  @Column('text', { name: 'client_id', nullable: true }) clientId!: string | null;
  @Column('text', { name: 'token_endpoint_auth_method', nullable: true }) tokenEndpointAuthMethod!: string | null;
  /** JSON `{clientSecret?, registrationAccessToken?, initialAccessToken?}`. */
  @Column('bytea', { nullable: true }) sealed!: Buffer | null;
  @Column('timestamptz', { name: 'client_secret_expires_at', nullable: true }) clientSecretExpiresAt!: Date | null;
  @Column('text', { name: 'registration_client_uri', nullable: true }) registrationClientUri!: string | null;
  /** Why it isn't ACTIVE, for people. */
  @Column('text', { nullable: true }) message!: string | null;
  @Column('timestamptz', { name: 'attempted_at', nullable: true }) attemptedAt!: Date | null;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

/** What discovery found for a connection type's present server URL; the issuer and its token endpoint's host are pinned by it. */
@Entity('oauth_discoveries')
export class OAuthDiscovery {
  @PrimaryColumn('uuid', { name: 'connection_type_id' }) connectionTypeId!: string;
  @Column('text', { name: 'server_url' }) serverUrl!: string;
  @Column('text') issuer!: string;
  @Column('text', { name: 'token_host' }) tokenHost!: string;
  /** The RFC 8707 resource. */
  @Column('text') resource!: string;
  /** Authorization-server metadata (RFC 8414), as it was read. */
  @Column('jsonb') metadata!: Record<string, unknown>;
  @Column('text', { name: 'scopes_supported', array: true }) scopesSupported!: string[];
  @Column('text', { name: 'challenge_scopes', array: true }) challengeScopes!: string[];
  /** Rules of older revisions that had to be used. */
  @Column('text', { array: true }) fallbacks!: string[];
  @Column('timestamptz', { name: 'discovered_at' }) discoveredAt!: Date;
}

import { createHash } from 'node:crypto';
import { currentTarget, sameTarget, type CredentialTarget } from '#core/connection/target.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Member } from '#core/store/entities/member.entity.js';
import type { OAuthDiscovery } from '#core/store/entities/oauth-client.entity.js';
import type { OAuthAuthorization, OAuthGrant } from '#core/store/entities/oauth-grant.entity.js';
import type { Team } from '#core/store/entities/team.entity.js';
import type { Repositories } from '#core/store/store.js';

/** Everything that a consent is about, as it stands now. */
export interface Situation {
  authorization: OAuthAuthorization;
  enrollment: Enrollment;
  type: ConnectionType;
  owner: Member;
  team: Team;
  /** Null while the server's OAuth has not been discovered. */
  discovery: OAuthDiscovery | null;
  grant: OAuthGrant | null;
}

/** Reads it; null when a part is gone, or the type doesn't want OAuth any more. Writes nothing. */
export async function situationOf(repositories: Repositories, authorization: OAuthAuthorization): Promise<Situation | null> {
  const enrollment = await repositories.enrollments.byId(authorization.enrollmentId);
  if (enrollment === null) return null;
  const [type, [owner], [team], grant] = await Promise.all([
    repositories.connectionTypes.byId(enrollment.connectionTypeId),
    repositories.members.byIds([enrollment.ownerId]),
    repositories.teams.byIds([enrollment.teamId]),
    repositories.oauthGrants.byId(enrollment.id),
  ]);
  if (type === null || type.spec.authMethod !== 'OAUTH' || owner === undefined || team === undefined) return null;
  return { authorization, enrollment, type, owner, team, grant, discovery: await repositories.oauthClients.discovery(type.id) };
}

/** Where the login will go, if that isn't what its owner agreed to before; null otherwise. */
export function movedFrom({ enrollment, type }: Situation): CredentialTarget | null {
  return sameTarget(enrollment.confirmedTarget, currentTarget(type.spec)) ? null : enrollment.confirmedTarget;
}

/** Where a person will sign in: the host that their browser is sent to, and the issuer's where that is another one. */
export function signInPlace({ issuer, metadata }: Pick<OAuthDiscovery, 'issuer' | 'metadata'>): { host: string; forIssuer: string | null } {
  const [host, ofIssuer] = [metadata['authorization_endpoint'] as string, issuer].map((url) => new URL(url).host) as [string, string];
  return { host, forIssuer: host === ofIssuer ? null : ofIssuer };
}

/** Stands for what a page showed of server and provider, so that nobody agrees to something else than they saw. */
export function seenMark(type: Pick<ConnectionType, 'spec'>, discovery: Pick<OAuthDiscovery, 'issuer' | 'metadata'> | null, scopes: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify([currentTarget(type.spec), discovery === null ? null : [discovery.issuer, signInPlace(discovery)], scopes])).digest('base64url');
}

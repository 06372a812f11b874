import { currentTarget } from '#core/connection/target.js';
import type { OAuthTokens } from '#core/connection/credential.js';
import type { Condition } from '#core/connection/condition.js';
import type { ConnectionTypeSpecInput } from '#core/connection/spec.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Credential, Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { OAuthGrant } from '#core/store/entities/oauth-grant.entity.js';
import { newId } from '#core/store/ids.js';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { authorization } from '#core/upkeep/observations.js';
import { credentialOf, fieldsOf, lifeOf } from '#core/upkeep/oauth-tokens-life.js';
import { ECHO, type Caller, type CallWorld } from '../calls/world.js';
import { challengeOf, loggedIn, TestWay } from '../oauth-servers/journey.js';
import type { RawTool } from '#core/mcp/session.js';

const ANY: RawTool = { name: 'failing', inputSchema: { type: 'object' } };

/** A connection type with OAuth, discovered and registered as `createConnectionType` does it. */
export async function oauthType(world: CallWorld, serverUrl: string, values: Partial<ConnectionTypeSpecInput> = {}, name = 'stock'): Promise<ConnectionType> {
  const { oauth } = world.main;
  const type = await world.type({ serverUrl, authMethod: 'OAUTH', ...values }, [ECHO, ANY], { name });
  const look = await oauth.look(serverUrl, { verdict: 'AUTHENTICATION_REQUIRED', challenge: await challengeOf(serverUrl) }, type.spec);
  const client = await world.store.transaction((repositories) => oauth.save(repositories, type, look.report.found!, oauth.choose(type.spec, null, look)));
  const fault = await oauth.register(type, client, look.report.found!);
  if (fault !== null) throw fault;
  return type;
}

/** An enrollment with tokens of a real consent. `pretend` replaces members of what is stored of their life. */
export async function login(world: CallWorld, type: ConnectionType, owner: Caller, { label = '', scopes, pretend = {} }: { label?: string; scopes?: string[]; pretend?: Partial<OAuthGrant> } = {}): Promise<Enrollment> {
  const { store, vault, main: { oauth } } = world;
  const { client, clientRowId, discovery } = await oauth.setupOf(type);
  const way = new TestWay();
  const sentAt = await store.now();
  const { tokens } = await loggedIn(way, type.spec.serverUrl, { discovery, client, ...(scopes === undefined ? {} : { scopes }) });
  await way.egress.close();
  const target = currentTarget(type.spec);
  const id = newId();
  const sealed = await new CredentialBox(vault).seal({ teamId: type.teamId, enrollmentId: id, version: 1, target }, credentialOf(tokens));
  const conditions = authorization('OAUTH', 'ACCEPTED').map((one): Condition => ({ ...one, lastTransitionTime: sentAt.toISOString(), observedGeneration: type.version }));
  const enrollment = await store.transaction(async (repositories) => {
    const made = await repositories.enrollments.insert(
      { id, teamId: type.teamId, connectionTypeId: type.id, ownerId: owner.memberId, label, shared: false, origin: 'API', confirmedTarget: target },
      { enrollmentId: id, teamId: type.teamId, kind: 'OAUTH', version: 1, sealed, fields: fieldsOf(tokens, sentAt) },
      { enrollmentId: id, conditions, toolsSyncedAt: null },
    );
    await repositories.oauthGrants.insert(id, type.teamId);
    await repositories.oauthGrants.update(id, { ...lifeOf(tokens, 0), clientId: clientRowId, issuer: discovery.issuer, ...pretend });
    return made;
  });
  world.service.invalidate(type.teamId);
  return enrollment;
}

/** Makes a login expire by our own record; its provider goes on believing in it. */
export async function expire(world: CallWorld, enrollment: Enrollment): Promise<void> {
  await world.query(`update oauth_grants set expires_at = clock_timestamp() - interval '1 second' where enrollment_id = $1`, [enrollment.id]);
  world.service.invalidate(enrollment.teamId);
}

/** Everything that is stored of a login. */
export interface StoredLogin {
  credential: Credential;
  value: OAuthTokens;
  grant: OAuthGrant;
  conditions: Record<string, Pick<Condition, 'status' | 'reason' | 'message'>>;
}

export async function stored({ store, vault }: CallWorld, { id, teamId, confirmedTarget }: Enrollment): Promise<StoredLogin> {
  const [credential] = await store.enrollments.credentials([id]);
  const [status] = await store.enrollments.statuses([id]);
  const value = await new CredentialBox(vault).open({ teamId, enrollmentId: id, version: credential!.version, target: confirmedTarget }, credential!.sealed, { authMethod: 'OAUTH' });
  const conditions = Object.fromEntries(status!.conditions.map(({ type, status: is, reason, message }) => [type, { status: is, reason, message }]));
  return { credential: credential!, value: value as OAuthTokens, grant: (await store.oauthGrants.byId(id))!, conditions };
}

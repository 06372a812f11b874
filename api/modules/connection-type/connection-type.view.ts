import { connectionTypeState } from '#core/connection/state.js';
import type { NextAction } from '#core/errors.js';
import { roleAtLeast } from '#core/connection/role.js';
import type { SeenOfType } from '#core/store/connection-types.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Context } from '../../context.js';
import { nodeId } from '../../graphql/node-id.js';
import { whenThere } from '../../graphql/when-there.js';
import { membershipIn } from '../../identity/principal.js';

/** A connection type as GraphQL shows it to this viewer; what hangs on its status is loaded when it is selected. */
export function connectionTypeView(type: ConnectionType, context: Context) {
  const { spec } = type;
  const role = membershipIn(context.principal, type.teamId)?.role ?? 'MEMBER';
  const manages = roleAtLeast(role, 'MANAGER') && type.origin === 'API';
  const seen = <T>(show: (status: SeenOfType | null) => T) => () => whenThere([context.loaders.typeStatus.get(type.id)], show);
  return {
    __typename: 'ConnectionType' as const,
    id: nodeId('ConnectionType', type.id),
    typeId: type.id,
    teamId: type.teamId,
    name: type.name,
    displayName: spec.displayName,
    description: spec.description,
    serverUrl: spec.serverUrl,
    authMethod: spec.authMethod,
    origin: type.origin,
    version: type.version,
    manifest: type.origin !== 'MANIFEST' ? null : () => context.loaders.manifest.load(type.id),
    accessToken: spec.accessToken,
    headers: spec.headers,
    oauth: spec.authMethod !== 'OAUTH' ? null : async () => {
      const [client, discovery] = await Promise.all([context.loaders.oauthClient.load(type.id), context.loaders.oauthDiscovery.load(type.id)]);
      return {
        issuer: discovery?.issuer ?? null,
        registrationMethod: client?.method ?? null,
        clientId: client?.clientId ?? spec.oauth?.clientId ?? null,
        scopes: spec.oauth?.scopes ?? [],
        redirectUri: context.links.redirectUri,
        clientSecretExpiresAt: client?.clientSecretExpiresAt ?? null,
      };
    },
    health: spec.health,
    calls: spec.calls,
    toolPolicy: spec.toolPolicy,
    deletionPolicy: spec.deletionPolicy,
    createdAt: type.createdAt,
    updatedAt: type.updatedAt,
    viewerCan: { update: manages, delete: manages, enroll: true },
    state: seen((status) => connectionTypeState(status?.conditions ?? [])),
    action: seen((status): NextAction | null => (connectionTypeState(status?.conditions ?? []) === 'ACTION_REQUIRED' ? { label: 'Enter a client ID and secret', url: null } : null)),
    protocolVersion: seen((status) => status?.protocolVersion ?? null),
    server: seen((status) => (status?.serverName == null ? null : { name: status.serverName, version: status.serverVersion })),
    conditions: seen((status) => status?.conditions ?? []),
    lastCheckedAt: seen((status) => status?.lastCheckedAt ?? null),
    nextCheckAt: seen((status) => status?.nextCheckAt ?? null),
  };
}
export type ConnectionTypeView = ReturnType<typeof connectionTypeView>;

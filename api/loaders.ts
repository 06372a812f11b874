import DataLoader from 'dataloader';
import type { ConnectionType, ConnectionTypeStatus } from '#core/store/entities/connection-type.entity.js';
import type { Credential, Enrollment, EnrollmentStatus } from '#core/store/entities/enrollment.entity.js';
import type { Member } from '#core/store/entities/member.entity.js';
import type { OAuthClient, OAuthDiscovery } from '#core/store/entities/oauth-client.entity.js';
import type { OAuthGrant } from '#core/store/entities/oauth-grant.entity.js';
import type { Team } from '#core/store/entities/team.entity.js';
import type { Tool } from '#core/store/entities/tool.entity.js';
import type { Store } from '#core/store/store.js';

/** A page of tools that one viewer may see of one type; equal first and after are read in one statement. */
export interface ToolPageKey {
  typeId: string;
  viewerId: string;
  first: number;
  after: string | null;
}

/** One data loader per relation, for one request. */
export interface Loaders {
  team: DataLoader<string, Team | null>;
  member: DataLoader<string, Member | null>;
  connectionType: DataLoader<string, ConnectionType | null>;
  typeStatus: DataLoader<string, ConnectionTypeStatus | null>;
  oauthDiscovery: DataLoader<string, OAuthDiscovery | null>;
  /** The client that counts, by type. */
  oauthClient: DataLoader<string, OAuthClient | null>;
  oauthGrant: DataLoader<string, OAuthGrant | null>;
  enrollment: DataLoader<string, Enrollment | null>;
  enrollmentStatus: DataLoader<string, EnrollmentStatus | null>;
  credential: DataLoader<string, Credential | null>;
  /** Key: type id and owner's member id. */
  ownEnrollments: DataLoader<{ typeId: string; ownerId: string }, Enrollment[], string>;
  toolPage: DataLoader<ToolPageKey, Tool[], string>;
  toolCount: DataLoader<{ typeId: string; viewerId: string }, number, string>;
}

/** New loaders over `store`; they cache for the length of one request. */
export function createLoaders(store: Store): Loaders {
  return {
    team: byKey((ids) => store.teams.byIds(ids), (team) => team.id),
    member: byKey((ids) => store.members.byIds(ids), (member) => member.id),
    connectionType: byKey((ids) => store.connectionTypes.byIds(ids), (type) => type.id),
    typeStatus: byKey((ids) => store.connectionTypes.statuses(ids), (status) => status.connectionTypeId),
    oauthDiscovery: byKey((ids) => store.oauthClients.discoveries(ids), (discovery) => discovery.connectionTypeId),
    oauthClient: byKey((ids) => store.oauthClients.currentOf(ids), (client) => client.connectionTypeId),
    oauthGrant: byKey((ids) => store.oauthGrants.byIds(ids), (grant) => grant.enrollmentId),
    enrollment: byKey((ids) => store.enrollments.byIds(ids), (enrollment) => enrollment.id),
    enrollmentStatus: byKey((ids) => store.enrollments.statuses(ids), (status) => status.enrollmentId),
    credential: byKey((ids) => store.enrollments.credentials(ids), (credential) => credential.enrollmentId),
    ownEnrollments: new DataLoader(
      (keys) => perGroup(keys, (key) => key.ownerId, async (group, ownerId) => {
        const rows = await store.enrollments.ofOwner(ownerId, group.map((key) => key.typeId));
        return (key) => rows.filter((row) => row.connectionTypeId === key.typeId);
      }),
      { cacheKeyFn: (key) => `${key.typeId} ${key.ownerId}` },
    ),
    toolPage: new DataLoader(
      (keys) => perGroup(keys, (key) => JSON.stringify([key.viewerId, key.first, key.after]), async (group) => {
        const { viewerId, first, after } = group[0]!;
        const rows = await store.tools.visible(group.map((key) => key.typeId), viewerId, first, after);
        return (key) => rows.filter((row) => row.connectionTypeId === key.typeId);
      }),
      { cacheKeyFn: (key) => JSON.stringify(key) },
    ),
    toolCount: new DataLoader(
      (keys) => perGroup(keys, (key) => key.viewerId, async (group, viewerId) => {
        const counts = await store.tools.visibleCounts(group.map((key) => key.typeId), viewerId);
        return (key) => counts.get(key.typeId) ?? 0;
      }),
      { cacheKeyFn: (key) => `${key.typeId} ${key.viewerId}` },
    ),
  };
}

/** Lets everything be read afresh: something was changed in the middle of the request. */
export function forgetLoaded(loaders: Loaders): void {
  for (const loader of Object.values(loaders) as DataLoader<unknown, unknown>[]) loader.clearAll();
}

function byKey<V>(load: (ids: readonly string[]) => Promise<V[]>, id: (row: V) => string): DataLoader<string, V | null> {
  return new DataLoader(async (ids) => {
    const rows = new Map((await load(ids)).map((row) => [id(row), row]));
    return ids.map((key) => rows.get(key) ?? null);
  });
}

/** Answers keys group by group: one load for all keys that differ only in their type. */
async function perGroup<K, V>(keys: readonly K[], group: (key: K) => string, load: (keys: K[], group: string) => Promise<(key: K) => V>): Promise<V[]> {
  const groups = Map.groupBy(keys, group);
  const answers = new Map<string, (key: K) => V>();
  await Promise.all([...groups].map(async ([name, members]) => answers.set(name, await load(members, name))));
  return keys.map((key) => answers.get(group(key))!(key));
}

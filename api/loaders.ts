import DataLoader from 'dataloader';
import type { Assignment, AssignmentPin, AssignmentSlot } from '#core/store/entities/assignment.entity.js';
import type { ConnectionType, ConnectionTypeStatus } from '#core/store/entities/connection-type.entity.js';
import type { Credential, Enrollment, EnrollmentStatus } from '#core/store/entities/enrollment.entity.js';
import type { Member } from '#core/store/entities/member.entity.js';
import type { MirrorNamespace } from '#core/store/entities/mirror.entity.js';
import type { OAuthClient, OAuthDiscovery } from '#core/store/entities/oauth-client.entity.js';
import type { OAuthGrant } from '#core/store/entities/oauth-grant.entity.js';
import type { Team } from '#core/store/entities/team.entity.js';
import type { Store } from '#core/store/store.js';
import type { VisibleTool } from '#core/store/tools.js';

/** A page of tools that one viewer may see of one type; equal first and after are read in one statement. */
export interface ToolPageKey {
  typeId: string;
  viewerId: string;
  first: number;
  after: string | null;
}

/** One data loader per relation, for one request; each is made when it is first asked for, since most requests need few of them, and calls none. */
export class Loaders {
  readonly #made = new Map<string, unknown>();

  constructor(private readonly store: Store) {}

  get team(): DataLoader<string, Team | null> {
    return this.#one('team', () => byKey((ids) => this.store.teams.byIds(ids), (team) => team.id));
  }

  get member(): DataLoader<string, Member | null> {
    return this.#one('member', () => byKey((ids) => this.store.members.byIds(ids), (member) => member.id));
  }

  get connectionType(): DataLoader<string, ConnectionType | null> {
    return this.#one('connectionType', () => byKey((ids) => this.store.connectionTypes.byIds(ids), (type) => type.id));
  }

  get typeStatus(): DataLoader<string, ConnectionTypeStatus | null> {
    return this.#one('typeStatus', () => byKey((ids) => this.store.connectionTypes.statuses(ids), (status) => status.connectionTypeId));
  }

  get oauthDiscovery(): DataLoader<string, OAuthDiscovery | null> {
    return this.#one('oauthDiscovery', () => byKey((ids) => this.store.oauthClients.discoveries(ids), (discovery) => discovery.connectionTypeId));
  }

  /** The client that counts, by type. */
  get oauthClient(): DataLoader<string, OAuthClient | null> {
    return this.#one('oauthClient', () => byKey((ids) => this.store.oauthClients.currentOf(ids), (client) => client.connectionTypeId));
  }

  /** The manifest that owns an object, by the object's id; null where it has none (any more). */
  get manifest(): DataLoader<string, { namespace: string; name: string } | null> {
    return this.#one('manifest', () => new DataLoader(async (ids) => {
      const bindings = await this.store.mirrorObjects.bySubjects(ids);
      const owners = new Map(bindings.filter((one) => one.origin === 'MANIFEST' && one.state === 'ACTIVE').map(({ subjectId, namespace, name }) => [subjectId, { namespace, name }]));
      return ids.map((id) => owners.get(id) ?? null);
    }));
  }

  /** A team's binding to a namespace, by the team's id. */
  get namespace(): DataLoader<string, MirrorNamespace | null> {
    return this.#one('namespace', () => byKey((ids) => this.store.mirrorNamespaces.ofTeams(ids), (row) => row.teamId));
  }

  get oauthGrant(): DataLoader<string, OAuthGrant | null> {
    return this.#one('oauthGrant', () => byKey((ids) => this.store.oauthGrants.byIds(ids), (grant) => grant.enrollmentId));
  }

  get assignment(): DataLoader<string, Assignment | null> {
    return this.#one('assignment', () => byKey((ids) => this.store.assignments.byIds(ids), (assignment) => assignment.id));
  }

  get assignmentSlots(): DataLoader<string, AssignmentSlot[]> {
    return this.#one('assignmentSlots', () => new DataLoader(async (ids) => {
      const slots = Map.groupBy(await this.store.assignments.slots(ids), (slot) => slot.assignmentId);
      return ids.map((id) => slots.get(id) ?? []);
    }));
  }

  /** Key: the assignment's id, and whose pins besides those for everybody. */
  get assignmentPins(): DataLoader<{ assignmentId: string; memberId: string | null }, AssignmentPin[], string> {
    return this.#one('assignmentPins', () => new DataLoader(
      (keys) => perGroup(keys, (key) => key.memberId ?? '', async (group) => {
        const pins = Map.groupBy(await this.store.assignments.pins(group.map((key) => key.assignmentId), group[0]!.memberId), (pin) => pin.assignmentId);
        return (key) => pins.get(key.assignmentId) ?? [];
      }),
      { cacheKeyFn: (key) => `${key.assignmentId} ${key.memberId}` },
    ));
  }

  get enrollment(): DataLoader<string, Enrollment | null> {
    return this.#one('enrollment', () => byKey((ids) => this.store.enrollments.byIds(ids), (enrollment) => enrollment.id));
  }

  get enrollmentStatus(): DataLoader<string, EnrollmentStatus | null> {
    return this.#one('enrollmentStatus', () => byKey((ids) => this.store.enrollments.statuses(ids), (status) => status.enrollmentId));
  }

  get credential(): DataLoader<string, Credential | null> {
    return this.#one('credential', () => byKey((ids) => this.store.enrollments.credentials(ids), (credential) => credential.enrollmentId));
  }

  /** Key: type id and owner's member id. */
  get ownEnrollments(): DataLoader<{ typeId: string; ownerId: string }, Enrollment[], string> {
    return this.#one('ownEnrollments', () => new DataLoader(
      (keys) => perGroup(keys, (key) => key.ownerId, async (group, ownerId) => {
        const rows = Map.groupBy(await this.store.enrollments.ofOwner(ownerId, group.map((key) => key.typeId)), (row) => row.connectionTypeId);
        return (key) => rows.get(key.typeId) ?? [];
      }),
      { cacheKeyFn: (key) => `${key.typeId} ${key.ownerId}` },
    ));
  }

  get toolPage(): DataLoader<ToolPageKey, VisibleTool[], string> {
    return this.#one('toolPage', () => new DataLoader(
      (keys) => perGroup(keys, (key) => JSON.stringify([key.viewerId, key.first, key.after]), async (group) => {
        const { viewerId, first, after } = group[0]!;
        const rows = Map.groupBy(await this.store.tools.visible(group.map((key) => key.typeId), viewerId, first, after), (row) => row.connectionTypeId);
        return (key) => rows.get(key.typeId) ?? [];
      }),
      { cacheKeyFn: (key) => JSON.stringify(key) },
    ));
  }

  get toolCount(): DataLoader<{ typeId: string; viewerId: string }, number, string> {
    return this.#one('toolCount', () => new DataLoader(
      (keys) => perGroup(keys, (key) => key.viewerId, async (group, viewerId) => {
        const counts = await this.store.tools.visibleCounts(group.map((key) => key.typeId), viewerId);
        return (key) => counts.get(key.typeId) ?? 0;
      }),
      { cacheKeyFn: (key) => `${key.typeId} ${key.viewerId}` },
    ));
  }

  /** Lets everything be read afresh: something was changed in the middle of the request. */
  forget(): void {
    this.#made.clear();
  }

  #one<L>(name: string, make: () => L): L {
    let loader = this.#made.get(name) as L | undefined;
    if (loader === undefined) this.#made.set(name, loader = make());
    return loader;
  }
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

import DataLoader from 'dataloader';
import type { Assignment, AssignmentPin, AssignmentSlot } from '#core/store/entities/assignment.entity.js';
import type { SeenOfType } from '#core/store/connection-types.js';
import type { SeenOfLogin } from '#core/store/enrollments.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import type { Member } from '#core/store/entities/member.entity.js';
import type { MirrorNamespace } from '#core/store/entities/mirror.entity.js';
import type { OAuthClient, OAuthDiscovery } from '#core/store/entities/oauth-client.entity.js';
import type { Team } from '#core/store/entities/team.entity.js';
import type { Store } from '#core/store/store.js';
import type { VisibleTool } from '#core/store/tools.js';
import { Relation } from './relation.js';

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

  get team(): Relation<Team> {
    return this.#one('team', () => new Relation((ids) => this.store.teams.byIds(ids), (team) => team.id));
  }

  get member(): Relation<Member> {
    return this.#one('member', () => new Relation((ids) => this.store.members.byIds(ids), (member) => member.id));
  }

  get connectionType(): Relation<ConnectionType> {
    return this.#one('connectionType', () => new Relation((ids) => this.store.connectionTypes.byIds(ids), (type) => type.id));
  }

  get typeStatus(): Relation<SeenOfType> {
    return this.#one('typeStatus', () => new Relation((ids) => this.store.connectionTypes.statuses(ids), (status) => status.connectionTypeId));
  }

  get oauthDiscovery(): Relation<OAuthDiscovery> {
    return this.#one('oauthDiscovery', () => new Relation((ids) => this.store.oauthClients.discoveries(ids), (discovery) => discovery.connectionTypeId));
  }

  /** The client that counts, by type. */
  get oauthClient(): Relation<OAuthClient> {
    return this.#one('oauthClient', () => new Relation((ids) => this.store.oauthClients.currentOf(ids), (client) => client.connectionTypeId));
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
  get namespace(): Relation<MirrorNamespace> {
    return this.#one('namespace', () => new Relation((ids) => this.store.mirrorNamespaces.ofTeams(ids), (row) => row.teamId));
  }

  get assignment(): Relation<Assignment> {
    return this.#one('assignment', () => new Relation((ids) => this.store.assignments.byIds(ids), (assignment) => assignment.id));
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

  get enrollment(): Relation<Enrollment> {
    return this.#one('enrollment', () => new Relation((ids) => this.store.enrollments.byIds(ids), (enrollment) => enrollment.id));
  }

  /** What is shown of an enrollment's login, by the enrollment's id. */
  get login(): Relation<SeenOfLogin> {
    return this.#one('login', () => new Relation((ids) => this.store.enrollments.logins(ids), (login) => login.enrollmentId));
  }

  /** Key: type id and owner's member id. */
  get ownEnrollments(): DataLoader<{ typeId: string; ownerId: string }, Enrollment[], string> {
    return this.#one('ownEnrollments', () => new DataLoader(
      (keys) => perGroup(keys, (key) => key.ownerId, async (group, ownerId) => {
        // With whom they belong to: it is one person, and pages show them at each.
        const [own] = await Promise.all([this.store.enrollments.withLogins(ownerId, group.map((key) => key.typeId)), this.member.load(ownerId)]);
        for (const row of own) this.login.note(row.id, row);
        const rows = Map.groupBy(own, (row) => row.connectionTypeId);
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

/** Answers keys group by group: one load for all keys that differ only in their type. */
async function perGroup<K, V>(keys: readonly K[], group: (key: K) => string, load: (keys: K[], group: string) => Promise<(key: K) => V>): Promise<V[]> {
  const groups = Map.groupBy(keys, group);
  const answers = new Map<string, (key: K) => V>();
  await Promise.all([...groups].map(async ([name, members]) => answers.set(name, await load(members, name))));
  return keys.map((key) => answers.get(group(key))!(key));
}

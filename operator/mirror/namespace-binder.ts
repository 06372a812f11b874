import { connectionTypeName } from '#core/connection/spec.js';
import type { Logger } from '#core/log.js';
import { isUniqueViolation } from '#core/store/conflict.js';
import type { MirrorNamespace } from '#core/store/entities/mirror.entity.js';
import type { Repositories, Store } from '#core/store/store.js';
import { TEAM_LABEL } from '../manifest/resources.js';
import type { Namespace } from './cluster.js';

/** Why what is in a namespace isn't mirrored now. */
export interface Unbound {
  reason: 'NamespaceNotBound' | 'NamespaceFrozen';
  message: string;
}

/** What {@link NamespaceBinder} is built of. */
export interface NamespaceBinderOptions {
  store: Store;
  clusterUid: string;
  logger: Logger;
}

type Target = Pick<MirrorNamespace, 'state' | 'message'> & Partial<Pick<MirrorNamespace, 'clusterUid' | 'namespaceUid'>>;

/**
 * Whose a namespace is (design section 8, "teams"). A label creates and binds a team that doesn't exist; one that was made through the API is bound by its administrator only. What doesn't fit
 * any more freezes, and deletes nothing.
 */
export class NamespaceBinder {
  readonly #namespaces = new Map<string, Namespace>();

  constructor(private readonly options: NamespaceBinderOptions) {}

  /** Takes a complete list; answers the names of all that were there or are. */
  listed(items: readonly Namespace[]): string[] {
    const names = new Set([...this.#namespaces.keys(), ...items.map((item) => item.metadata.name)]);
    this.#namespaces.clear();
    for (const item of items) this.#namespaces.set(item.metadata.name, item);
    return [...names].filter((name) => this.#namespaces.get(name)?.metadata.labels?.[TEAM_LABEL] !== undefined || !this.#namespaces.has(name));
  }

  changed(namespace: Namespace): void {
    this.#namespaces.set(namespace.metadata.name, namespace);
  }

  deleted(namespace: Namespace): void {
    this.#namespaces.delete(namespace.metadata.name);
  }

  /** Brings what is stored of the namespace to what is seen of it. A second time changes nothing. */
  async look(name: string): Promise<void> {
    const { store, logger } = this.options;
    const seen = this.#namespaces.get(name) ?? null;
    const row = await store.mirrorNamespaces.byName(name);
    const [team] = row === null ? [] : await store.teams.byIds([row.teamId]);
    const label = seen?.metadata.labels?.[TEAM_LABEL];
    // A claim alone holds no namespace: whose it is, its label says.
    const claimedByOthers = row?.state === 'WAITING' && label !== undefined && label !== team?.slug && (await store.teams.bySlug(label)) === null;
    if (row !== null && claimedByOthers) await store.mirrorNamespaces.remove(row);
    if (row === null || claimedByOthers) return void (seen !== null && (await this.#create(seen)));
    const target = targetOf(row, seen, team?.slug ?? '', this.options.clusterUid);
    if (Object.entries(target).every(([key, value]) => row[key as keyof Target] === value)) return;
    await store.transaction(async (repositories) => {
      await repositories.mirrorNamespaces.update(row, { ...target, ...(target.state === row.state && { state: undefined }) });
      await repositories.announce(row.teamId);
    });
    if (target.state !== row.state) logger.info({ namespace: name, team: team?.slug, state: target.state, why: target.message }, 'the binding of a namespace changed');
  }

  /** Why the binding of a namespace, if there is one, doesn't count; null when it does. */
  async unbound(name: string, row: Pick<MirrorNamespace, 'state' | 'message'> | null): Promise<Unbound | null> {
    if (row?.state === 'BOUND') return null;
    if (row?.state === 'FROZEN') return { reason: 'NamespaceFrozen', message: row.message };
    const slug = this.#namespaces.get(name)?.metadata.labels?.[TEAM_LABEL];
    const other = slug === undefined ? null : await this.#namespaceOf(slug);
    const message = slug === undefined
      ? `This namespace belongs to no team: label it ${TEAM_LABEL}=<team>.`
      : !connectionTypeName.safeParse(slug).success
      ? `The namespace's label ${TEAM_LABEL}=${slug} names no team: a team's slug is 1 to 63 lower-case letters, digits or dashes.`
      : other !== null && other !== name
        ? `The team ${JSON.stringify(slug)} has the namespace ${JSON.stringify(other)} already, and one team has one namespace: label this one for another team, or move the team here with unbindNamespace and bindNamespace.`
        : `The team ${JSON.stringify(slug)} was made through the API: one of its administrators binds this namespace with bindNamespace(team: ${JSON.stringify(slug)}, namespace: ${JSON.stringify(name)}).`;
    return { reason: 'NamespaceNotBound', message: row === null ? message : row.message || message };
  }

  async #namespaceOf(slug: string): Promise<string | null> {
    const { store } = this.options;
    const team = await store.teams.bySlug(slug);
    return team === null ? null : (await store.mirrorNamespaces.ofTeam(team.id))?.namespace ?? null;
  }

  /** A namespace that nobody has bound: its label makes a team, unless there is one. */
  async #create(seen: Namespace): Promise<void> {
    const { store, clusterUid, logger } = this.options;
    const { name: namespace, uid: namespaceUid, labels } = seen.metadata;
    const slug = labels?.[TEAM_LABEL];
    if (slug === undefined || seen.metadata.deletionTimestamp !== undefined || !connectionTypeName.safeParse(slug).success) return;
    if ((await store.teams.bySlug(slug)) !== null) return;
    const create = async (repositories: Repositories): Promise<void> => {
      const team = await repositories.teams.insert(slug, slug);
      await repositories.mirrorNamespaces.insert({ teamId: team.id, namespace, state: 'BOUND', clusterUid, namespaceUid });
      await repositories.audit.append({
        teamId: team.id, actorId: null, actorName: `namespace ${namespace}`, onBehalfOfName: null, tokenId: null, action: 'createTeam', subjectType: 'Team', subjectId: team.id,
        subjectName: slug, outcome: 'SUCCEEDED', code: null, requestId: namespaceUid,
      });
    };
    try {
      await store.transaction(create);
      logger.info({ namespace, team: slug }, 'a namespace made a team');
    } catch (error) {
      // Somebody made the team, or bound the namespace, meanwhile.
      if (!isUniqueViolation(error)) throw error;
    }
  }
}

/** Where a binding should stand. Pure. */
export function targetOf(row: Pick<MirrorNamespace, 'state' | 'clusterUid' | 'namespaceUid' | 'message'>, seen: Namespace | null, slug: string, clusterUid: string): Target {
  if (seen === null) return row.state === 'WAITING' ? { state: 'WAITING', message: 'There is no such namespace yet.' } : { state: 'FROZEN', message: 'The namespace is gone.' };
  if (row.clusterUid !== null && row.clusterUid !== clusterUid) return { state: 'FROZEN', message: 'This is another cluster than the one that the team was bound to: unbind the namespace, and bind it again.' };
  if (row.namespaceUid !== null && row.namespaceUid !== seen.metadata.uid) return { state: 'FROZEN', message: 'This is another namespace of that name: unbind it, and bind it again.' };
  const label = seen.metadata.labels?.[TEAM_LABEL];
  if (label !== slug) {
    const message = `Label the namespace ${TEAM_LABEL}=${slug}: ${label === undefined ? 'it has no such label' : `its label says ${JSON.stringify(label)}`}.`;
    return { state: row.state === 'WAITING' ? 'WAITING' : 'FROZEN', message };
  }
  return { state: 'BOUND', message: '', clusterUid, namespaceUid: seen.metadata.uid };
}

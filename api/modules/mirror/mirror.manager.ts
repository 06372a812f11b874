import { z } from 'zod';
import { UserFault } from '#core/errors.js';
import { isUniqueViolation } from '#core/store/conflict.js';
import type { MirrorObject } from '#core/store/entities/mirror.entity.js';
import type { Team } from '#core/store/entities/team.entity.js';
import type { Repositories, Store } from '#core/store/store.js';
import { connectionTypeById, enrollmentById, requireRole, teamBySlug } from '../../access.js';
import { parseNodeId } from '../../graphql/node-id.js';
import { parseInput } from '../../graphql/parse-input.js';
import type { Act } from '../../mutation.js';
import type { BindNamespaceInput, ConfirmDeletionsInput, OfferOwnershipInput, TakeOwnershipInput, UnbindNamespaceInput } from './mirror.type.js';

const namespaceName = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'A namespace\'s name is a DNS label: 1 to 63 lower-case letters, digits or dashes.');

/** The annotation by which a manifest takes over a row. */
const ADOPT = 'fairlead.dev/adopt';

/** Who owns a spec, and which namespace is whose (design section 8). */
export class MirrorManager {
  constructor(private readonly store: Store) {}

  /** Administrators of the team. The namespace is the team's when its label says so, too. */
  async bind(act: Act, input: BindNamespaceInput): Promise<Team> {
    const { team } = await this.#administered(act, input.team, 'Binding a namespace');
    const namespace = parseInput(namespaceName, input.namespace, ['input', 'namespace']);
    const taken = () => new UserFault('ALREADY_EXISTS', `The namespace ${JSON.stringify(namespace)} belongs to another team: choose another one.`, { field: ['input', 'namespace'] });
    try {
      return await act.commit(async (repositories) => {
        const own = await repositories.mirrorNamespaces.ofTeam(team.id);
        if (own?.namespace === namespace) return team;
        if (own !== null) throw new UserFault('ALREADY_EXISTS', `The team is bound to the namespace ${JSON.stringify(own.namespace)}: end that with unbindNamespace first.`, { field: ['input', 'team'] });
        const other = await repositories.mirrorNamespaces.byName(namespace);
        // A claim that no label bears out holds nothing.
        if (other !== null && other.state !== 'WAITING') throw taken();
        if (other !== null) await repositories.mirrorNamespaces.remove(other);
        await repositories.mirrorNamespaces.insert({ teamId: team.id, namespace, state: 'WAITING', clusterUid: null, namespaceUid: null });
        return team;
      });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      const own = await this.store.mirrorNamespaces.ofTeam(team.id);
      if (own?.namespace !== namespace) throw taken();
      return act.commit(async () => team);
    }
  }

  /** Administrators of the team. */
  async unbind(act: Act, input: UnbindNamespaceInput): Promise<Team> {
    const { team } = await this.#administered(act, input.team, 'Unbinding a namespace');
    return act.commit(async (repositories) => {
      const own = await repositories.mirrorNamespaces.ofTeam(team.id);
      if (own !== null) await repositories.mirrorNamespaces.remove(own);
      return team;
    });
  }

  /** Managers, and of an enrollment its owner, for a manifest's is no longer theirs to change. The mirror goes, and the next manifest with the annotation takes the row. Answers that annotation. */
  async offer(act: Act, input: OfferOwnershipInput): Promise<string> {
    const { row, binding, ownerId } = await this.#managed(act, input.id, 'Offering what others use');
    const field = ['input', 'id'];
    if (row.origin === 'MANIFEST') {
      const message = binding?.state === 'ACTIVE' ? 'A manifest owns it already.' : 'The manifest that declared it is gone: take it over with takeOwnership, then offer it.';
      throw new UserFault('MANAGED_BY_MANIFEST', message, { field });
    }
    if (ownerId !== null && !(await this.#machineUser(ownerId))) throw new UserFault('FORBIDDEN', 'Only its owner offers an enrollment, unless that is a machine user: ask them.', { field });
    if (binding === null) throw new UserFault('NOT_AVAILABLE', 'The team is bound to no namespace, so there is nobody to offer it to: an administrator binds one with bindNamespace.', { field });
    await act.commit(async (repositories) => {
      // A manifest that took it meanwhile keeps it.
      if ((await repositories.mirrorObjects.lock(binding.id))?.origin !== 'API') throw changedMeanwhile(field);
      await repositories.mirrorObjects.offer(binding.id, 'OFFERED');
    });
    return `${ADOPT}: ${input.id}`;
  }

  /** Managers: for what no manifest owns any more, and for what was offered and not taken. */
  async take(act: Act, input: TakeOwnershipInput): Promise<void> {
    const { row, binding, kind, teamId } = await this.#managed(act, input.id, 'Taking over what others use');
    if (row.origin === 'API') {
      await act.commit(async (repositories) => { if (binding?.state === 'OFFERED') await repositories.mirrorObjects.offer(binding.id, 'ACTIVE'); });
      return;
    }
    if (binding?.state === 'ACTIVE') {
      const place = `${binding.namespace}/${binding.name}`;
      throw new UserFault('MANAGED_BY_MANIFEST', `The Kubernetes object ${place} owns it: set spec.deletionPolicy to Retain there and delete it, or unbind the namespace; then take it.`, { field: ['input', 'id'] });
    }
    await act.commit(async (repositories: Repositories) => {
      // A manifest that came back meanwhile has it again.
      if (binding !== null && (await repositories.mirrorObjects.lock(binding.id))?.state === 'ACTIVE') throw changedMeanwhile(['input', 'id']);
      if (binding !== null) await repositories.mirrorObjects.remove(binding.id);
      await (kind === 'ConnectionType' ? repositories.connectionTypes : repositories.enrollments).setOrigin(row.id, 'API');
      await repositories.mirrorNamespaces.track(teamId);
    });
  }

  /** Administrators of the team. Answers how many deletions go on. */
  async confirmDeletions(act: Act, input: ConfirmDeletionsInput): Promise<number> {
    const { team } = await this.#administered(act, input.team, 'Confirming deletions');
    return act.commit((repositories) => repositories.mirrorObjects.release(team.id));
  }

  async #administered(act: Act, slug: string, todo: string) {
    const found = await teamBySlug(this.store, act.context.principal, slug);
    act.about(found.team.id, { type: 'Team', id: found.team.id, name: found.team.slug });
    requireRole(found.membership, 'ADMIN', todo);
    return found;
  }

  /** A plain local member: what a manager may decide for, since nobody else is there to. */
  async #machineUser(memberId: string): Promise<boolean> {
    const [member] = await this.store.members.byIds([memberId]);
    return member?.local === true && member.role === 'MEMBER';
  }

  /** `ownerId`: of an enrollment that is somebody else's. */
  async #managed(act: Act, id: string, todo: string): Promise<{ row: { id: string; origin: 'API' | 'MANIFEST' }; binding: MirrorObject | null; kind: 'ConnectionType' | 'Enrollment'; teamId: string; ownerId: string | null }> {
    const { principal } = act.context;
    if (parseNodeId(id)?.type === 'Enrollment') {
      const { enrollment, membership, owned } = await enrollmentById(this.store, principal, id);
      act.about(enrollment.teamId, { type: 'Enrollment', id: enrollment.id, name: enrollment.label });
      requireRole(membership, 'MANAGER', todo);
      return { row: enrollment, binding: await this.store.mirrorObjects.bySubject(enrollment.id), kind: 'Enrollment', teamId: enrollment.teamId, ownerId: owned ? null : enrollment.ownerId };
    }
    const { type, membership } = await connectionTypeById(this.store, principal, id);
    act.about(type.teamId, { type: 'ConnectionType', id: type.id, name: type.name });
    requireRole(membership, 'MANAGER', todo);
    return { row: type, binding: await this.store.mirrorObjects.bySubject(type.id), kind: 'ConnectionType', teamId: type.teamId, ownerId: null };
  }
}

function changedMeanwhile(field: string[]): UserFault {
  return new UserFault('MANAGED_BY_MANIFEST', 'A manifest took it meanwhile: look who owns it now, then decide anew.', { field });
}

import { z } from 'zod';
import { connectionTypeName, displayName } from '#core/connection/spec.js';
import { oneLine } from '#core/connection/text.js';
import { UserFault } from '#core/errors.js';
import { isUniqueViolation } from '#core/store/conflict.js';
import type { Member } from '#core/store/entities/member.entity.js';
import type { Team } from '#core/store/entities/team.entity.js';
import type { Store } from '#core/store/store.js';
import type { Leftovers } from '#core/upkeep/leftovers.js';
import type { Upkeep } from '#core/upkeep/upkeep.js';
import { requireRole, teamBySlug, teamToAdminister } from '../../access.js';
import { uuidOf } from '../../graphql/node-id.js';
import { parseInput } from '../../graphql/parse-input.js';
import type { Act } from '../../mutation.js';
import type { CreateTeamInput, RemoveMemberInput, SetMemberInput, UpdateTeamInput } from './team.type.js';

const createTeamInput = z.object({ slug: connectionTypeName, displayName });
const subject = z.string().min(1, 'Enter the subject.').max(255, 'At most 255 characters.').refine(oneLine, 'No control characters.');

/** Rules of teams and their members. */
export class TeamManager {
  constructor(private readonly store: Store, private readonly upkeep: Upkeep, private readonly leftovers: Leftovers, private readonly oidcConfigured: boolean) {}

  /** Installation administrators only; the creator becomes the team's first administrator. */
  async create(act: Act, input: CreateTeamInput): Promise<Team> {
    const { principal } = act.context;
    if (!principal.installationAdmin) throw new UserFault('FORBIDDEN', 'Only an administrator of the installation creates teams: ask yours.');
    const values = parseInput(createTeamInput, input);
    try {
      const { team, member } = await act.commit(async (repositories) => {
        const team = await repositories.teams.insert(values.slug, values.displayName);
        const member = await repositories.members.upsert({ teamId: team.id, subject: principal.subject, local: principal.local, displayName: principal.displayName, role: 'ADMIN', source: 'API' });
        act.about(team.id, { type: 'Team', id: team.id, name: team.slug });
        return { team, member };
      });
      // The rest of this request is a member's already: the payload shows the team to them.
      const membership = { teamId: team.id, teamSlug: team.slug, memberId: member.id, role: member.role };
      act.context.principal = { ...principal, memberships: [...principal.memberships, membership] };
      return team;
    } catch (error) {
      if (isUniqueViolation(error)) throw new UserFault('ALREADY_EXISTS', `A team "${values.slug}" exists already: choose another slug.`, { field: ['input', 'slug'] });
      throw error;
    }
  }

  /** Administrators of the team only. What waits for approval already goes on waiting. */
  async update(act: Act, input: UpdateTeamInput): Promise<Team> {
    const { team, membership } = await teamBySlug(this.store, act.context.principal, input.team);
    act.about(team.id, { type: 'Team', id: team.id, name: team.slug });
    requireRole(membership, 'ADMIN', 'Changing the team\'s policy');
    const destructiveTools = input.destructiveTools ?? team.destructiveTools;
    return act.commit(async ({ teams }) => {
      await teams.update(team.id, { destructiveTools });
      return { ...team, destructiveTools };
    });
  }

  /** Administrators of the team, and of the installation, only. The last administrator keeps that role. */
  async setMember(act: Act, input: SetMemberInput): Promise<Member> {
    const team = await teamToAdminister(this.store, act.context.principal, input.team, 'Changing members');
    act.about(team.id, { type: 'Team', id: team.id, name: team.slug });
    const values = {
      subject: parseInput(subject, input.subject, ['input', 'subject']),
      displayName: input.displayName == null ? null : parseInput(displayName, input.displayName, ['input', 'displayName']),
      local: input.local ?? !this.oidcConfigured,
    };
    if (!values.local && !this.oidcConfigured) {
      throw new UserFault('INVALID', 'No OIDC issuer is configured, so nobody signs in: leave "local" out, and give the member a token.', { field: ['input', 'local'] });
    }
    return act.commit(async (repositories) => {
      const before = await repositories.members.bySubject(team.id, values.subject, values.local);
      const admins = await repositories.members.lockAdmins(team.id);
      if (before !== null && input.role !== 'ADMIN' && admins.length === 1 && admins[0] === before.id) {
        throw new UserFault('FORBIDDEN', 'This is the team\'s last administrator: make somebody else an administrator first.', { field: ['input', 'role'] });
      }
      const member = await repositories.members.upsert({ teamId: team.id, ...values, role: input.role, source: 'API' });
      act.about(team.id, { type: 'Member', id: member.id, name: member.displayName });
      return member;
    });
  }

  /** Administrators, or the member themselves. Their enrollments and tokens end with the membership. */
  async removeMember(act: Act, input: RemoveMemberInput): Promise<void> {
    const { team, membership } = await teamBySlug(this.store, act.context.principal, input.team);
    act.about(team.id);
    const id = uuidOf('Member', input.memberId);
    if (id !== membership.memberId) requireRole(membership, 'ADMIN', 'Removing members');
    await this.leftovers.prepare(team.id);
    const { typeIds, left } = await act.commit(async (repositories) => {
      const member = id === null ? null : await repositories.members.inTeam(team.id, id);
      if (member === null) throw new UserFault('NOT_FOUND', 'There is no such member in this team: list its members for the ids that there are.', { field: ['input', 'memberId'] });
      act.about(team.id, { type: 'Member', id: member.id, name: member.displayName });
      const admins = await repositories.members.lockAdmins(team.id);
      if (admins.length === 1 && admins[0] === member.id) {
        throw new UserFault('FORBIDDEN', 'This is the team\'s last administrator: make somebody else an administrator first.', { field: ['input', 'memberId'] });
      }
      const listsEnded = await repositories.connectionTypes.endSharedLists({ ownerId: member.id });
      const left = await this.leftovers.collect(repositories, { ownerId: member.id });
      await repositories.members.remove(team.id, member.id);
      return { typeIds: listsEnded, left };
    });
    this.leftovers.begin(left);
    for (const typeId of typeIds) await this.upkeep.checkType(typeId);
  }
}

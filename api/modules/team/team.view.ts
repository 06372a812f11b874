import type { Member } from '#core/store/entities/member.entity.js';
import type { Team } from '#core/store/entities/team.entity.js';
import { nodeId } from '../../graphql/node-id.js';

/** A team as GraphQL shows it; `teamId` is for field resolvers. */
export function teamView(team: Team) {
  return { __typename: 'Team' as const, id: nodeId('Team', team.id), slug: team.slug, displayName: team.displayName, destructiveTools: team.destructiveTools, createdAt: team.createdAt, teamId: team.id };
}
export type TeamView = ReturnType<typeof teamView>;

/** A member as GraphQL shows them. */
export function memberView(member: Member) {
  return {
    __typename: 'Member' as const, id: nodeId('Member', member.id), subject: member.subject, displayName: member.displayName, role: member.role,
    local: member.local, createdAt: member.createdAt,
  };
}

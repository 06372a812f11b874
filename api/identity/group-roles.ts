import { ROLES, isRole, roleAtLeast, type Role } from '#core/connection/role.js';

/** A role in a team. */
export interface Grant {
  team: string;
  role: Role;
}

/** Members of `group` (as the OIDC issuer names it) have `role` in `team`. */
export interface GroupRole extends Grant {
  group: string;
}

const TEAM_SLUG = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Reads a mapping such as `devs=payments:MEMBER, leads=payments:MANAGER`. The group is everything before the last `=`.
 * Never throws: `faults` names each entry that can't be read, and why; then `groups` must not be used.
 */
export function parseGroupRoles(text: string): { groups: GroupRole[]; faults: string[] } {
  const groups: GroupRole[] = [];
  const faults: string[] = [];
  for (const entry of text.split(',').map((part) => part.trim()).filter((part) => part !== '')) {
    const [, group, team, role] = /^(.+)=([^=:]*):([^=:]*)$/.exec(entry) ?? [];
    if (group === undefined || team === undefined || role === undefined) {
      faults.push(`"${entry}" is not of the form group=team:ROLE`);
      continue;
    }
    if (!TEAM_SLUG.test(team)) faults.push(`"${entry}": "${team}" can't be a team's slug (lower-case letters, digits and hyphens, at most 63)`);
    if (!isRole(role)) faults.push(`"${entry}": "${role}" is no role; roles are ${ROLES.join(', ')}`);
    if (TEAM_SLUG.test(team) && isRole(role)) groups.push({ group: group.trim(), team, role });
  }
  return { groups, faults };
}

/** What membership in `memberOf` grants: one entry per team, with the strongest role. */
export function grantsOf(groups: readonly GroupRole[], memberOf: readonly string[]): Grant[] {
  const strongest = new Map<string, Role>();
  for (const { group, team, role } of groups) {
    if (!memberOf.includes(group)) continue;
    const held = strongest.get(team);
    if (held === undefined || roleAtLeast(role, held)) strongest.set(team, role);
  }
  return [...strongest].map(([team, role]) => ({ team, role }));
}

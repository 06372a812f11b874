import { roleAtLeast, type Role } from '#core/connection/role.js';

/** A role in a team. */
export interface Grant {
  team: string;
  role: Role;
}

/** Members of `group` (as the OIDC issuer names it) have `role` in `team`. */
export interface GroupRole extends Grant {
  group: string;
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

/** Roles of a member in a team, weakest first; each holds all rights of those before it. */
export const ROLES = ['MEMBER', 'MANAGER', 'ADMIN'] as const;
export type Role = (typeof ROLES)[number];

/** True when `role` has at least the rights of `needed`. */
export function roleAtLeast(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/** True when `text` is the name of a role, in upper case. */
export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

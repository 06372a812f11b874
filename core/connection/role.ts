/** Roles of a member, lowest first (design section 2). */
export const ROLES = ['MEMBER', 'MANAGER', 'ADMIN'] as const;
export type Role = (typeof ROLES)[number];

/** Whether `role` is `least` or higher. */
export function roleAtLeast(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}

/** The lower of two roles: a token never exceeds its creator's current role. */
export function lowerRole(a: Role, b: Role): Role {
  return ROLES.indexOf(a) <= ROLES.indexOf(b) ? a : b;
}

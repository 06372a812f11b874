import type { Role } from '#core/connection/role.js';

/** A caller's place in one team, with the role that counts now (a token's never exceeds its creator's). */
export interface Membership {
  teamId: string;
  teamSlug: string;
  memberId: string;
  role: Role;
}

/** Who is calling, as authenticated: a person, or a token that acts as one. */
export interface Principal {
  subject: string;
  local: boolean;
  displayName: string;
  /** May create teams. */
  installationAdmin: boolean;
  /** The Fairlead token that was used, if one was. */
  tokenId: string | null;
  /** The team that the token fixes; null for people and the local administrator. */
  teamId: string | null;
  memberships: readonly Membership[];
}

/** The caller's place in a team, or null for a stranger. */
export function membershipIn(principal: Principal, teamId: string): Membership | null {
  return principal.memberships.find((membership) => membership.teamId === teamId) ?? null;
}

import type { Role } from '#core/connection/role.js';

/** A caller's place in one team, with the role that counts now (a token's never exceeds its creator's). */
export interface Membership {
  teamId: string;
  teamSlug: string;
  memberId: string;
  role: Role;
}

/** An assignment that a token acts for. */
export interface AssignmentScope {
  id: string;
  /** Whether it goes through its creator's enrollments; otherwise through shared ones only. */
  onBehalfOf: boolean;
  /** The token's creator, who answers for its calls. Not among the principal's memberships: but for calls the token is a stranger everywhere. */
  creator: Membership;
}

/** Bounds of what is called with one token; null for none. */
export interface TokenLimits {
  ratePerMinute: number | null;
  concurrency: number | null;
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
  /** Set for tokens of assignments, which have no memberships: they call, and look at their own calls and their assignment, and nothing else. */
  assignment?: AssignmentScope | null;
  /** Absent where nothing bounds the token. */
  limits?: TokenLimits | null;
}

/** The memberships in which this principal calls and looks at calls: a token that fixes a team has no others. */
export function callingAs(principal: Principal): readonly Membership[] {
  if (principal.assignment != null) return [principal.assignment.creator];
  return principal.teamId === null ? principal.memberships : principal.memberships.filter((membership) => membership.teamId === principal.teamId);
}

/** The caller's place in a team, or null for a stranger. */
export function membershipIn(principal: Principal, teamId: string): Membership | null {
  return principal.memberships.find((membership) => membership.teamId === teamId) ?? null;
}

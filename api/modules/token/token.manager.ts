import { displayName } from '#core/connection/spec.js';
import { roleAtLeast } from '#core/connection/role.js';
import { UserFault } from '#core/errors.js';
import type { Token } from '#core/store/entities/token.entity.js';
import type { Store } from '#core/store/store.js';
import { assignmentById, requireRole, teamBySlug } from '../../access.js';
import { uuidOf } from '../../graphql/node-id.js';
import { nodeId } from '../../graphql/node-id.js';
import { parseInput } from '../../graphql/parse-input.js';
import { mintToken } from '../../identity/fairlead-token.js';
import { membershipIn } from '../../identity/principal.js';
import type { Act } from '../../mutation.js';
import type { CreateTokenInput, RevokeTokenInput } from './token.type.js';

/** A token as GraphQL shows it. */
export function tokenView(token: Token) {
  return {
    __typename: 'Token' as const, id: nodeId('Token', token.id), name: token.name, prefix: token.prefix, expiresAt: token.expiresAt,
    lastUsedAt: token.lastUsedAt, createdAt: token.createdAt,
  };
}

/**
 * Rules of Fairlead tokens (design section 5): a token is for its creator or, by an administrator, for a *local* member, never for a person
 * who signs in; it never exceeds its creator's current role, dies with their membership, and expires no later than a token that it was created with.
 */
export class TokenManager {
  constructor(private readonly store: Store, private readonly clock: () => Date) {}

  async create(act: Act, input: CreateTokenInput): Promise<{ secret: string; token: Token }> {
    const { principal } = act.context;
    const { team, membership } = await teamBySlug(this.store, principal, input.team);
    act.about(team.id);
    const assignment = input.assignmentId == null ? null : await this.assignment(act, team.id, input);
    if (assignment === null && input.onBehalfOf === true) throw new UserFault('INVALID', '"onBehalfOf" belongs to the token of an assignment: give an "assignmentId", or leave it out.', { field: ['input', 'onBehalfOf'] });
    const name = parseInput(displayName, input.name, ['input', 'name']);
    const member = input.memberId == null ? null : await this.member(team.id, input.memberId);
    const forOther = member !== null && member.id !== membership.memberId;
    if (forOther) requireRole(membership, 'ADMIN', 'Creating tokens for others');
    if (forOther && !member.local) {
      throw new UserFault('FORBIDDEN', 'This member signs in themselves, and nobody else can hold a token for them: choose a local member.', { field: ['input', 'memberId'] });
    }
    const parent = principal.tokenId === null ? null : await this.store.tokens.byId(principal.tokenId);
    const expiresAt = this.expiry(parent, input.expiresAt ?? null);
    const creatorId = membership.memberId;
    const memberId = member?.id ?? creatorId;
    const bounds = { ratePerMinute: bound(input, parent, 'ratePerMinute'), concurrency: bound(input, parent, 'concurrency') };
    const kind = assignment !== null ? 'ASSIGNMENT' as const : memberId === creatorId ? 'PERSONAL' as const : 'LOCAL_MEMBER' as const;
    // Whoever stands behind the token that is used stands behind the new one too: making tokens with tokens raises no role, and outlives no membership.
    const voucherIds = [...new Set([parent?.creatorId ?? creatorId, ...(parent?.voucherIds ?? [])])].filter((id) => id !== creatorId && id !== memberId);
    const minted = mintToken();
    const token = await act.commit(async (repositories) => {
      const row = await repositories.tokens.insert({
        kind, teamId: team.id, memberId: assignment === null ? memberId : null, creatorId, voucherIds, ...bounds,
        assignmentId: assignment?.id ?? null, onBehalfOf: input.onBehalfOf === true,
        name, prefix: minted.prefix, hash: minted.hash, expiresAt,
      });
      act.about(team.id, { type: 'Token', id: row.id, name });
      return row;
    });
    return { secret: minted.secret, token };
  }

  /** The creator, the member that it acts as, or an administrator of the team. */
  async revoke(act: Act, input: RevokeTokenInput): Promise<void> {
    const { principal } = act.context;
    const unknown = new UserFault('NOT_FOUND', 'There is no such token, or it is revoked already.', { field: ['input', 'id'] });
    const id = uuidOf('Token', input.id);
    const token = id === null ? null : await this.store.tokens.byId(id);
    const membership = token?.teamId == null ? null : membershipIn(principal, token.teamId);
    if (token === null || membership === null) throw unknown;
    const own = token.creatorId === membership.memberId || token.memberId === membership.memberId;
    if (!own && !roleAtLeast(membership.role, 'ADMIN')) throw unknown;
    act.about(membership.teamId, { type: 'Token', id: token.id, name: token.name });
    await act.commit((repositories) => repositories.tokens.remove(token.id));
  }

  /** Anybody in the team: what the assignment does with the token, its creator could do themselves. */
  private async assignment(act: Act, teamId: string, { assignmentId, memberId }: CreateTokenInput) {
    const field = ['input', 'assignmentId'];
    if (memberId != null) throw new UserFault('INVALID', 'A token acts for a member or for an assignment: give one of "memberId" and "assignmentId".', { field });
    const { assignment } = await assignmentById(this.store, act.context.principal, assignmentId!, field);
    if (assignment.teamId !== teamId) throw new UserFault('NOT_FOUND', 'There is no such assignment: list the team\'s assignments for the ids that there are.', { field });
    return assignment;
  }

  private async member(teamId: string, id: string) {
    const uuid = uuidOf('Member', id);
    const member = uuid === null ? null : await this.store.members.inTeam(teamId, uuid);
    if (member === null) throw new UserFault('NOT_FOUND', 'There is no such member in this team: list its members for the ids that there are.', { field: ['input', 'memberId'] });
    return member;
  }

  private expiry(parent: Token | null, wanted: Date | null): Date | null {
    if (wanted !== null && wanted <= this.clock()) throw new UserFault('INVALID', 'This moment has passed: choose a later one.', { field: ['input', 'expiresAt'] });
    const limit = parent?.expiresAt ?? null;
    if (limit === null) return wanted;
    if (wanted !== null && wanted > limit) {
      throw new UserFault('INVALID', `A token outlives no token that it was created with: ${limit.toISOString()} at the latest.`, { field: ['input', 'expiresAt'] });
    }
    return wanted ?? limit;
  }
}

/** A token is bounded at least as tightly as the one that it was created with. */
function bound(input: CreateTokenInput, parent: Token | null, name: 'ratePerMinute' | 'concurrency'): number | null {
  const given = input[name] ?? null;
  if (given !== null && (given < 1 || given > 1_000_000)) throw new UserFault('INVALID', 'A whole number, 1 to 1,000,000; without a bound, leave it out.', { field: ['input', name] });
  const limit = parent?.[name] ?? null;
  return limit === null ? given : Math.min(given ?? limit, limit);
}

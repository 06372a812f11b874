import { timingSafeEqual } from 'node:crypto';
import { roleAtLeast, type Role } from '#core/connection/role.js';
import { InvariantBroken, UserFault } from '#core/errors.js';
import type { ToolCallApproval } from '#core/store/entities/tool-call-approval.entity.js';
import type { ToolCall } from '#core/store/entities/tool-call.entity.js';
import type { Repositories, Store } from '#core/store/store.js';
import type { Vault } from '#core/vault/vault.js';
import { callingAs, membershipIn, type Membership, type Principal } from '../identity/principal.js';
import { bindingOf, versionsOf } from './binding.js';
import type { CallRequest } from './call-request.js';
import type { AcceptedCall } from './call-runner.js';
import type { CallViews } from './call-views.js';
import type { KeptContent } from './kept-content.js';
import type { Leave } from './limits.js';
import type { Route } from './route.js';
import type { ToolDefinition } from './tool-catalog.js';

/** What {@link Approver} is built of. */
export interface ApproverOptions {
  store: Store;
  vault: Vault;
  kept: KeptContent;
  views: CallViews;
  processId: string;
  /** How long an approval may be given, in milliseconds. */
  expiresInMs: number;
  /** Where people sign in, a token approves nothing. Elsewhere tokens are all that there is. */
  peopleSignIn: boolean;
  /** Has everything of a team read anew. */
  forget: (teamId: string) => void;
  /** Takes a call through every check that it was taken through when it was asked for. @throws {UserFault} */
  pass: (request: CallRequest, candidates: readonly Membership[]) => Promise<{ route: Route; tool: ToolDefinition; deadline: number }>;
  /** See `Gate.enter`; for a call that was asked for before. */
  enter: (route: Route, principal: Principal) => Leave;
  run: (call: AcceptedCall, leave: Leave) => void;
}

/** Commits what it is given together with whatever else belongs to the decision: its audit row, say. */
export type Commit = <T>(work: (repositories: Repositories) => Promise<T>) => Promise<T>;

interface Pending {
  record: ToolCall;
  approval: ToolCallApproval;
  membership: Membership;
}

/**
 * Decisions about calls that wait for approval. The process in which somebody approves runs the call, whoever waits for it elsewhere. Before that it takes the call
 * through every check once more, as its caller; what isn't as it was asked for voids the approval, and nothing runs.
 */
export class Approver {
  constructor(private readonly options: ApproverOptions) {}

  /** Puts the question, before the call's record is written. */
  async ask(request: CallRequest, record: ToolCall, route: Route, tool: ToolDefinition): Promise<void> {
    const { vault, store, expiresInMs } = this.options;
    const binding = await bindingOf(vault, record.callerId, route, record.tool, tool, request.arguments);
    await store.approvals.insert({ toolCallId: record.id, teamId: record.teamId, binding, enrollmentAsked: request.enrollmentId ?? null, timeoutMs: request.timeoutMs ?? null, expiresInMs });
  }

  /** Approves the call, which then runs. @throws {UserFault} `NOT_FOUND`, `FORBIDDEN`, `STALE_VERSION`, and what passes of itself */
  async approve(principal: Principal, id: string, comment: string | null, commit: Commit): Promise<void> {
    const { record, approval, membership } = await this.#pending(principal, id);
    const request = await this.#request(record, approval);
    if (request === null) throw await this.#voided(record);
    // What others changed a moment ago may not have been heard of yet.
    this.options.forget(record.teamId);
    const { route, tool, deadline } = await this.options.pass(request, callingAs(request.principal)).catch(async (error: unknown) => {
      // What passes isn't about the call, but about this moment: trying again may help, and what is to be approved is as it was.
      throw error instanceof UserFault && !error.retryable ? await this.#voided(record, error) : error;
    });
    const binding = await bindingOf(this.options.vault, record.callerId, route, record.tool, tool, request.arguments);
    if (!timingSafeEqual(binding, approval.binding)) throw await this.#voided(record);
    const leave = this.options.enter(route, request.principal);
    let begun = false;
    try {
      const decision = { byId: membership.memberId, byName: principal.displayName, comment };
      begun = await commit(async ({ approvals }) => {
        const approved = await approvals.approve(id, this.options.processId, decision, versionsOf(route, record, tool));
        // Thrown inside, so that nothing is on record as done.
        if (!approved) throw new NotApproved();
        return approved;
      }).catch((error: unknown) => {
        if (error instanceof NotApproved) return false;
        throw error;
      });
    } finally {
      if (!begun) leave('UNMADE');
    }
    if (!begun) throw await this.#lost(record, membership);
    const running: ToolCall = { ...record, status: 'RUNNING', processId: this.options.processId };
    this.options.run({ record: running, route, tool, arguments: request.arguments, deadline }, leave);
  }

  /** Denies the call: it never runs. @throws {UserFault} `NOT_FOUND`, `FORBIDDEN`, `STALE_VERSION` */
  async deny(principal: Principal, id: string, comment: string | null, commit: Commit): Promise<void> {
    const { record, membership } = await this.#pending(principal, id);
    const denied = await commit(({ approvals }) => approvals.end(id, 'DENIED', 'DENIED', { byId: membership.memberId, byName: principal.displayName, comment }));
    if (!denied) throw await this.#lost(record, membership);
  }

  /** The call, if it waits and this person may decide. */
  async #pending(principal: Principal, id: string): Promise<Pending> {
    const { views, store } = this.options;
    const record = await views.record(principal, id);
    const membership = record === null ? null : membershipIn(principal, record.teamId);
    if (record === null || membership === null) throw unknownCall();
    if (!roleAtLeast(membership.role, 'MANAGER')) throw tooLow(membership.role);
    if (record.callerId === membership.memberId || record.onBehalfOfId === membership.memberId) throw forbidden('Nobody decides about a call that they made, or that is made on their behalf: cancel it, or ask another manager.');
    if (this.options.peopleSignIn && principal.tokenId !== null) throw forbidden('A token decides nothing: sign in.');
    const approval = await store.approvals.byId(id);
    if (approval === null || record.status !== 'PENDING_APPROVAL') throw await this.#lost(record, membership);
    return { record, approval, membership };
  }

  /** What was asked for, by whom, as they are now; null when they, or their token, are gone. */
  async #request(record: ToolCall, approval: ToolCallApproval): Promise<CallRequest | null> {
    const { store, kept } = this.options;
    const [member, [team], token, [payload]] = await Promise.all([
      store.members.inTeam(record.teamId, record.callerId), store.teams.byIds([record.teamId]), record.tokenId === null ? null : store.tokens.byId(record.tokenId),
      store.toolCalls.payloads([record.id]),
    ]);
    if (member === null || team === undefined || payload?.sealedArguments == null) return null;
    const expired = token?.expiresAt != null && token.expiresAt <= (await store.now());
    if (record.tokenId !== null && (token === null || expired)) return null;
    const membership = { teamId: team.id, teamSlug: team.slug, memberId: member.id, role: member.role };
    const scope = token?.kind === 'ASSIGNMENT' ? { id: token.assignmentId!, onBehalfOf: token.onBehalfOf, creator: membership } : null;
    return {
      principal: {
        subject: member.subject, local: member.local, displayName: record.callerName, installationAdmin: false, tokenId: record.tokenId, teamId: record.teamId,
        memberships: scope === null ? [membership] : [], assignment: scope,
        limits: token === null ? null : { ratePerMinute: token.ratePerMinute, concurrency: token.concurrency },
      },
      requestId: record.requestId, signal: new AbortController().signal, connectionTypeId: record.connectionTypeId, tool: record.tool,
      arguments: await kept.openArguments(record.teamId, record.id, payload.sealedArguments), enrollmentId: approval.enrollmentAsked,
      assignmentId: record.assignmentId, timeoutMs: approval.timeoutMs, wait: true,
    };
  }

  /** Ends the wait: what was to be approved is no longer as it was asked for. */
  async #voided({ id }: ToolCall, cause?: UserFault): Promise<UserFault> {
    await this.options.store.approvals.end(id, 'VOIDED', 'DENIED', null);
    const why = cause === undefined ? '' : ` (${cause.publicMessage})`;
    return new UserFault('STALE_VERSION', `Who calls, the tool, the enrollment or the connection type is no longer as it was when the call was asked for${why}. The call will not run: it has to be asked for anew.`,
      { field: ['input', 'id'], cause });
  }

  /** Why the call doesn't wait any more; where it does, who decides, or what it was looked at for, has changed in this very moment. */
  async #lost({ id, teamId }: ToolCall, { memberId }: Membership): Promise<UserFault> {
    const { store } = this.options;
    const approval = await store.approvals.byId(id);
    if (approval === null) return new UserFault('STALE_VERSION', 'The call needs no approval.', { field: ['input', 'id'] });
    if (approval.state === 'PENDING' && approval.expiresAt > (await store.now())) {
      const role = (await store.members.inTeam(teamId, memberId))?.role;
      if (role === undefined) return unknownCall();
      if (!roleAtLeast(role, 'MANAGER')) return tooLow(role);
      const record = await store.toolCalls.byId(id);
      if (record === null) throw new InvariantBroken(`the approval of call ${id} has no call`);
      return this.#voided(record);
    }
    const how = { PENDING: 'The time for it is over', EXPIRED: 'The time for it is over', APPROVED: 'It was approved', DENIED: 'It was denied', VOIDED: 'It was cancelled, or what it was for has changed' };
    return new UserFault('STALE_VERSION', `The call doesn't wait for a decision any more. ${how[approval.state]}.`, { field: ['input', 'id'] });
  }
}

class NotApproved extends Error {}

function unknownCall(): UserFault {
  return new UserFault('NOT_FOUND', 'There is no such call: list the team\'s toolCalls for those that there are.', { field: ['input', 'id'] });
}

function tooLow(role: Role): UserFault {
  return forbidden(`Deciding about calls takes the role MANAGER in this team; yours is ${role}.`);
}

function forbidden(message: string): UserFault {
  return new UserFault('FORBIDDEN', message, { field: ['input', 'id'] });
}

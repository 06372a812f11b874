import { roleAtLeast } from '#core/connection/role.js';
import type { Approvals } from '#core/store/approvals.js';
import type { ToolCallApproval } from '#core/store/entities/tool-call-approval.entity.js';
import type { ToolCall, ToolCallPayload } from '#core/store/entities/tool-call.entity.js';
import type { Page, PageRequest } from '#core/store/page.js';
import type { ToolCallFilter, ToolCalls } from '#core/store/tool-calls.js';
import { callingAs, type Membership, type Principal } from '../identity/principal.js';
import { madeBy } from './actor.js';
import { knownId } from './call-input.js';
import type { CallContent, ToolCallView } from './call-request.js';
import type { KeptContent } from './kept-content.js';

/**
 * Who sees what of calls: the caller and the person on whose behalf it was see all of it; managers see who, what and when, and the arguments of calls that
 * are or were to be approved; others see nothing. The token of an assignment sees the assignment's calls that were made by the same person in the same way.
 */
export class CallViews {
  constructor(private readonly calls: ToolCalls, private readonly approvals: Pick<Approvals, 'byIds'>, private readonly kept: KeptContent) {}

  /** The record, if this caller may see it. */
  async record(principal: Principal, id: string): Promise<ToolCall | null> {
    const record = knownId(id) ? await this.calls.byId(id) : null;
    const membership = callingAs(principal).find((candidate) => candidate.teamId === record?.teamId);
    if (record === null || membership === undefined) return null;
    return madeBy(principal, membership, record) || seesAll(principal, membership) ? record : null;
  }

  /** One page of a team's calls, newest first: of all for managers, of their own for members, of none for strangers. */
  page(principal: Principal, teamId: string, filter: ToolCallFilter, request: PageRequest): Promise<Page<ToolCall>> {
    const participant = this.#participant(principal, teamId);
    return participant === undefined ? Promise.resolve({ rows: [], hasNextPage: false }) : this.calls.page(teamId, participant, filter, request);
  }

  count(principal: Principal, teamId: string, filter: ToolCallFilter): Promise<number> {
    const participant = this.#participant(principal, teamId);
    return participant === undefined ? Promise.resolve(0) : this.calls.count(teamId, participant, filter);
  }

  /** Views of records that this caller may see, in their order; two statements for all. */
  async views(principal: Principal, records: readonly ToolCall[]): Promise<ToolCallView[]> {
    const shown = records.filter((record) => record.kept);
    const ids = shown.map((record) => record.id);
    const [payloads, approvals] = ids.length === 0 ? [[], []] : await Promise.all([this.calls.payloads(ids), this.approvals.byIds(ids)]);
    const byId = new Map(payloads.map((payload) => [payload.toolCallId, payload]));
    const approvalOf = new Map(approvals.map((approval) => [approval.toolCallId, approval]));
    return Promise.all(records.map((record) => this.#view(principal, record, byId.get(record.id), approvalOf.get(record.id) ?? null)));
  }

  async #view(principal: Principal, record: ToolCall, payload: ToolCallPayload | undefined, approval: ToolCallApproval | null): Promise<ToolCallView> {
    const bare: ToolCallView = {
      record, approval, arguments: null, content: null, structuredContent: null, contentState: payload !== undefined ? 'AVAILABLE' : record.kept ? 'EXPIRED' : 'NOT_KEPT',
    };
    const membership = callingAs(principal).find((candidate) => candidate.teamId === record.teamId);
    if (membership === undefined) return bare;
    const whole = madeBy(principal, membership, record);
    const seen = whole ? { ...bare, progress: record.progress } : bare;
    if (payload === undefined || !(whole || (approval !== null && seesAll(principal, membership)))) return seen;
    const { sealedArguments, sealedResult } = payload;
    const args = sealedArguments === null ? null : await this.kept.openArguments(record.teamId, record.id, sealedArguments);
    if (!whole) return { ...seen, arguments: args };
    return withContent({ ...seen, arguments: args }, sealedResult === null ? null : await this.kept.openResult(record.teamId, record.id, sealedResult));
  }

  /** Whose calls are listed: null for all, undefined for none. */
  #participant(principal: Principal, teamId: string): string | null | undefined {
    // A token of an assignment lists nothing.
    const membership = principal.assignment == null ? callingAs(principal).find((candidate) => candidate.teamId === teamId) : undefined;
    if (membership === undefined) return undefined;
    return seesAll(principal, membership) ? null : membership.memberId;
  }
}

/** The view with a result filled in. */
export function withContent(view: ToolCallView, content: CallContent | null): ToolCallView {
  return content === null ? view : { ...view, content: content.content, structuredContent: content.structuredContent ?? null };
}

function seesAll({ assignment }: Principal, { role }: Membership): boolean {
  return assignment == null && roleAtLeast(role, 'MANAGER');
}

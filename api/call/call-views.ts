import { roleAtLeast } from '#core/connection/role.js';
import type { ToolCall, ToolCallPayload } from '#core/store/entities/tool-call.entity.js';
import type { Page, PageRequest } from '#core/store/page.js';
import type { ToolCallFilter, ToolCalls } from '#core/store/tool-calls.js';
import type { Membership, Principal } from '../identity/principal.js';
import { knownId, openTo } from './call-input.js';
import type { CallContent, ToolCallView } from './call-request.js';
import type { KeptContent } from './kept-content.js';

/**
 * Who sees what of calls: the caller and the person on whose behalf it was see all of it, managers see who, what and when, others see nothing.
 */
export class CallViews {
  constructor(private readonly calls: ToolCalls, private readonly kept: KeptContent) {}

  /** The record, if this caller may see it. */
  async record(principal: Principal, id: string): Promise<ToolCall | null> {
    const record = knownId(id) ? await this.calls.byId(id) : null;
    const membership = openTo(principal).find((candidate) => candidate.teamId === record?.teamId);
    if (record === null || membership === undefined) return null;
    return takesPart(membership, record) || seesAll(membership) ? record : null;
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

  /** Views of records that this caller may see, in their order; one statement for all. */
  async views(principal: Principal, records: readonly ToolCall[]): Promise<ToolCallView[]> {
    const shown = records.filter((record) => record.kept);
    const payloads = shown.length === 0 ? [] : await this.calls.payloads(shown.map((record) => record.id));
    const byId = new Map(payloads.map((payload) => [payload.toolCallId, payload]));
    return Promise.all(records.map((record) => this.#view(principal, record, byId.get(record.id))));
  }

  async #view(principal: Principal, record: ToolCall, payload: ToolCallPayload | undefined): Promise<ToolCallView> {
    const bare: ToolCallView = {
      record, arguments: null, content: null, structuredContent: null, contentState: payload !== undefined ? 'AVAILABLE' : record.kept ? 'EXPIRED' : 'NOT_KEPT',
    };
    const membership = openTo(principal).find((candidate) => candidate.teamId === record.teamId);
    if (payload === undefined || membership === undefined || !takesPart(membership, record)) return bare;
    const { sealedArguments, sealedResult } = payload;
    const args = sealedArguments === null ? null : await this.kept.openArguments(record.teamId, record.id, sealedArguments);
    return withContent({ ...bare, arguments: args }, sealedResult === null ? null : await this.kept.openResult(record.teamId, record.id, sealedResult));
  }

  /** Whose calls are listed: null for all, undefined for none. */
  #participant(principal: Principal, teamId: string): string | null | undefined {
    const membership = openTo(principal).find((candidate) => candidate.teamId === teamId);
    if (membership === undefined) return undefined;
    return seesAll(membership) ? null : membership.memberId;
  }
}

/** The view with a result filled in. */
export function withContent(view: ToolCallView, content: CallContent | null): ToolCallView {
  return content === null ? view : { ...view, content: content.content, structuredContent: content.structuredContent ?? null };
}

function takesPart({ memberId }: Membership, record: ToolCall): boolean {
  return record.callerId === memberId || record.onBehalfOfId === memberId;
}

function seesAll({ role }: Membership): boolean {
  return roleAtLeast(role, 'MANAGER');
}

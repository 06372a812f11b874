import type { EntityManager } from 'typeorm';
import { IdempotencyKey, ToolCall, ToolCallPayload, type ToolCallStatus } from './entities/tool-call.entity.js';
import { pageOf, type Page, type PageRequest } from './page.js';
import { storable } from './storable.js';

/** Which calls of a team are listed. */
export interface ToolCallFilter {
  status?: ToolCallStatus | null;
  connectionTypeId?: string | null;
}

/** How a call ended; times are the calling process's. */
export type ToolCallEnd = Pick<ToolCall, 'status' | 'error' | 'finishedAt' | 'durationMs'>;

/** A claim on an idempotency key. */
export interface KeyClaim {
  scope: Buffer;
  key: string;
  requestHash: Buffer;
}

/** How long keys, arguments and results are kept (design section 5). */
const KEPT_FOR = `interval '24 hours'`;

/** Columns of `tool_calls` that the calling process writes: one order for every statement. */
const COLUMNS = {
  id: 'uuid', team_id: 'uuid', process_id: 'uuid', caller_id: 'uuid', caller_name: 'text', on_behalf_of_id: 'uuid', on_behalf_of_name: 'text', token_id: 'uuid',
  request_id: 'text', connection_type_id: 'uuid', connection_type_name: 'text', enrollment_id: 'uuid', enrollment_label: 'text', tool: 'text', status: 'text',
  error: 'jsonb', started_at: 'timestamptz', finished_at: 'timestamptz', duration_ms: 'double precision', kept: 'boolean',
} as const;
const NAMES = Object.keys(COLUMNS).join(', ');
const RECORDSET = `json_to_recordset($1::json) as r(${Object.entries(COLUMNS).map(([name, type]) => `${name} ${type}`).join(', ')})`;

/** A row as `json_to_recordset` reads it. Written out, since this runs twice for every call. */
function recordOf(call: ToolCall): Record<keyof typeof COLUMNS, unknown> {
  return {
    id: call.id, team_id: call.teamId, process_id: call.processId, caller_id: call.callerId, caller_name: storable(call.callerName), on_behalf_of_id: call.onBehalfOfId,
    on_behalf_of_name: call.onBehalfOfName === null ? null : storable(call.onBehalfOfName), token_id: call.tokenId, request_id: storable(call.requestId),
    connection_type_id: call.connectionTypeId, connection_type_name: call.connectionTypeName, enrollment_id: call.enrollmentId, enrollment_label: storable(call.enrollmentLabel),
    tool: storable(call.tool), status: call.status, error: call.error === null ? null : { ...call.error, message: storable(call.error.message) },
    started_at: call.startedAt, finished_at: call.finishedAt, duration_ms: call.durationMs, kept: call.kept,
  };
}

/**
 * Writes whole rows, whatever state the stored ones are in: a new row is inserted, an end replaces `RUNNING`.
 * It also replaces an `OUTCOME_UNKNOWN` that a sweep wrote while the calling process was mute: its own word is the better knowledge.
 */
export const UPSERT_CALLS = `
  insert into tool_calls (${NAMES}) select ${NAMES} from ${RECORDSET}
  on conflict (id) do update set status = excluded.status, error = excluded.error, finished_at = excluded.finished_at, duration_ms = excluded.duration_ms
  where tool_calls.status in ('RUNNING', 'OUTCOME_UNKNOWN') and excluded.status <> 'RUNNING'`;

/** Inserts the row and what is kept of it, if the claim on the key (where there is one) holds; an expired claim of another is replaced. */
const RESERVE = (claimed: string) => `
  with claimed as (${claimed}),
  recorded as (insert into tool_calls (${NAMES}) select ${NAMES} from ${RECORDSET}, claimed),
  kept as (
    insert into tool_call_payloads (tool_call_id, team_id, sealed_arguments, expires_at)
    select $2, $3, $4, now() + ${KEPT_FOR} from claimed
  )
  select count(*)::int as claimed from claimed`;
const RESERVE_KEYED = RESERVE(`
  insert into idempotency_keys as k (tool_call_id, team_id, scope, key, request_hash, expires_at)
  values ($2, $3, $5, $6, $7, now() + ${KEPT_FOR})
  on conflict (scope, key) do update
    set tool_call_id = excluded.tool_call_id, team_id = excluded.team_id, request_hash = excluded.request_hash, expires_at = excluded.expires_at
    where k.expires_at <= now()
  returning 1`);
const RESERVE_KEYLESS = RESERVE('select 1');

const COMPLETE = `
  with ended as (
    update tool_calls set status = $2, error = $3, finished_at = $4, duration_ms = $5 where id = $1 and status in ('RUNNING', 'OUTCOME_UNKNOWN')
  )
  update tool_call_payloads set sealed_result = $6 where tool_call_id = $1`;

/** The parameter of {@link UPSERT_CALLS}. */
export function recordset(calls: readonly ToolCall[]): string {
  return JSON.stringify(calls.map(recordOf));
}

/** Records of calls, what is kept of them, and the idempotency keys that lead to them. */
export class ToolCalls {
  constructor(private readonly manager: EntityManager) {}

  byId(id: string): Promise<ToolCall | null> {
    return this.manager.findOneBy(ToolCall, { id });
  }

  /** Newest first; with `participantId`, only calls that this member made or that were made on their behalf. */
  async page(teamId: string, participantId: string | null, filter: ToolCallFilter, request: PageRequest): Promise<Page<ToolCall>> {
    const query = this.#matching(teamId, participantId, filter).orderBy('c.id', 'DESC').limit(request.first + 1);
    if (request.after !== null) query.andWhere('c.id < :after', { after: request.after });
    return pageOf(await query.getMany(), request.first);
  }

  count(teamId: string, participantId: string | null, filter: ToolCallFilter): Promise<number> {
    return this.#matching(teamId, participantId, filter).getCount();
  }

  #matching(teamId: string, participantId: string | null, filter: ToolCallFilter) {
    const query = this.manager.createQueryBuilder(ToolCall, 'c').where('c.team_id = :teamId', { teamId });
    if (participantId !== null) query.andWhere('(c.caller_id = :participantId or c.on_behalf_of_id = :participantId)', { participantId });
    if (filter.status != null) query.andWhere('c.status = :status', { status: filter.status });
    if (filter.connectionTypeId != null) query.andWhere('c.connection_type_id = :connectionTypeId', { connectionTypeId: filter.connectionTypeId });
    return query;
  }

  /** What is still kept of these calls. */
  payloads(ids: readonly string[]): Promise<ToolCallPayload[]> {
    return this.manager
      .createQueryBuilder(ToolCallPayload, 'p')
      .where('p.tool_call_id = any(:ids) and p.expires_at > now()', { ids })
      .getMany();
  }

  /** The unexpired claim on a key in any of these scopes, or null. */
  claim(scopes: readonly Buffer[], key: string): Promise<IdempotencyKey | null> {
    return this.manager
      .createQueryBuilder(IdempotencyKey, 'k')
      .where('k.scope = any(:scopes) and k.key = :key and k.expires_at > now()', { scopes, key })
      .getOne();
  }

  /**
   * Commits the claim, the `RUNNING` row and its sealed arguments together. False when another call holds the key: then nothing was written.
   * Without a claim it is always true.
   */
  async reserve(call: ToolCall, sealedArguments: Buffer, claim: KeyClaim | null): Promise<boolean> {
    const row = [recordset([call]), call.id, call.teamId, sealedArguments];
    const [result] = (claim === null
      ? await this.manager.query(RESERVE_KEYLESS, row)
      : await this.manager.query(RESERVE_KEYED, [...row, claim.scope, claim.key, claim.requestHash])) as { claimed: number }[];
    return result?.claimed === 1;
  }

  /** Commits a call's end with its sealed result. */
  async complete(id: string, end: ToolCallEnd, sealedResult: Buffer | null): Promise<void> {
    const error = end.error === null ? null : JSON.stringify({ ...end.error, message: storable(end.error.message) });
    await this.manager.query(COMPLETE, [id, end.status, error, end.finishedAt, end.durationMs, sealedResult]);
  }

  /** Notes that a running call is to be cancelled, and tells the process that makes it. */
  async requestCancel(id: string): Promise<void> {
    await this.manager.query(`update tool_calls set cancel_requested_at = coalesce(cancel_requested_at, now()) where id = $1 and status = 'RUNNING'`, [id]);
    await this.manager.query(`select pg_notify('fairlead_cancel', $1)`, [id]);
  }

  /** Running calls of one process that somebody wants cancelled: finds what a lost notification would have said. */
  async cancelRequests(processId: string): Promise<string[]> {
    const rows = (await this.manager.query(
      `select id from tool_calls where process_id = $1 and status = 'RUNNING' and cancel_requested_at is not null`,
      [processId],
    )) as { id: string }[];
    return rows.map((row) => row.id);
  }

  /** Deletes expired payloads and keys, `limit` of each at the most; returns how many went. */
  async deleteExpired(limit: number): Promise<number> {
    const [row] = (await this.manager.query(
      `with payloads as (
         delete from tool_call_payloads where tool_call_id in (
           select tool_call_id from tool_call_payloads where expires_at <= now() limit $1 for update skip locked) returning 1
       ), keys as (
         delete from idempotency_keys where (scope, key) in (
           select scope, key from idempotency_keys where expires_at <= now() limit $1 for update skip locked) returning 1
       )
       select (select count(*) from payloads)::int + (select count(*) from keys)::int as gone`,
      [limit],
    )) as { gone: number }[];
    return row?.gone ?? 0;
  }
}

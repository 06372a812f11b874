import type { EntityManager } from 'typeorm';
import { ToolCall, ToolCallPayload, type CallProgress, type ToolCallFault, type ToolCallStatus } from './entities/tool-call.entity.js';
import { pageOf, type Page, type PageRequest } from './page.js';
import { storable } from './storable.js';

/** Which calls of a team are listed. */
export interface ToolCallFilter {
  status?: ToolCallStatus | null;
  connectionTypeId?: string | null;
  assignmentId?: string | null;
}

/** How a call ended; times are the calling process's. */
export type ToolCallEnd = Pick<ToolCall, 'status' | 'error' | 'finishedAt' | 'durationMs'>;

/** Columns of `tool_calls` that the calling process writes: one order for every statement. */
const COLUMNS = {
  id: 'uuid', team_id: 'uuid', process_id: 'uuid', caller_id: 'uuid', caller_name: 'text', on_behalf_of_id: 'uuid', on_behalf_of_name: 'text', token_id: 'uuid',
  request_id: 'text', connection_type_id: 'uuid', connection_type_name: 'text', enrollment_id: 'uuid', enrollment_label: 'text', tool: 'text', status: 'text',
  error: 'jsonb', started_at: 'timestamptz', finished_at: 'timestamptz', duration_ms: 'double precision', kept: 'boolean', assignment_id: 'uuid', assignment_name: 'text',
} as const;
const NAMES = Object.keys(COLUMNS);
/** The names of these columns, for a statement. */
export const CALL_NAMES = NAMES.join(', ');
/** Parameters that hold {@link valuesOf} a call, for a statement: `$1` to `$22`. */
export const CALL_PARAMETERS = Object.values(COLUMNS).map((type, index) => `$${index + 1}::${type}`).join(', ');
/** A parameter that holds {@link recordOf} of several calls, as rows of these columns, and of `more` ones. */
export function callRecordset(...more: string[]): string {
  return `json_to_recordset($1::json) as r(${[...Object.entries(COLUMNS).map(([name, type]) => `${name} ${type}`), ...more].join(', ')})`;
}

/** A row as `json_to_recordset` reads it. Written out, and without dates, which `JSON.stringify` takes as long for as for all the rest, since this runs twice for every call. */
export function recordOf(call: ToolCall): Record<keyof typeof COLUMNS, unknown> {
  return {
    id: call.id, team_id: call.teamId, process_id: call.processId, caller_id: call.callerId, caller_name: storable(call.callerName), on_behalf_of_id: call.onBehalfOfId,
    on_behalf_of_name: call.onBehalfOfName === null ? null : storable(call.onBehalfOfName), token_id: call.tokenId, request_id: storable(call.requestId),
    connection_type_id: call.connectionTypeId, connection_type_name: call.connectionTypeName, enrollment_id: call.enrollmentId, enrollment_label: storable(call.enrollmentLabel),
    tool: storable(call.tool), status: call.status, error: storableFault(call.error),
    started_at: call.startedAt.toISOString(), finished_at: call.finishedAt?.toISOString() ?? null, duration_ms: call.durationMs, kept: call.kept,
    assignment_id: call.assignmentId, assignment_name: call.assignmentName === null ? null : storable(call.assignmentName),
  };
}

/**
 * Writes whole rows, whatever state the stored ones are in: a new row is inserted, an end replaces `RUNNING`.
 * It also replaces an `OUTCOME_UNKNOWN` that a sweep wrote while the calling process was mute: its own word is the better knowledge.
 */
export const UPSERT_CALLS = `
  insert into tool_calls (${CALL_NAMES}) select ${CALL_NAMES} from ${callRecordset()}
  on conflict (id) do update set status = excluded.status, error = excluded.error, finished_at = excluded.finished_at, duration_ms = excluded.duration_ms
  where tool_calls.status in ('RUNNING', 'OUTCOME_UNKNOWN') and excluded.status <> 'RUNNING'`;

/**
 * Ends rows that are stored as {@link UPSERT_CALLS} would; says which ones it ended. The parameters are those of {@link endset}: the ends, and their ids once more, so that only these rows are looked at, whatever plan was made.
 * Nearly every end finds its row, and this statement has a fifth to read of what the other has.
 */
export const END_CALLS = `
  update tool_calls c set status = told.status, error = told.error, finished_at = told.finished_at, duration_ms = told.duration_ms
  from json_to_recordset($1::json) as told(id uuid, status text, error jsonb, finished_at timestamptz, duration_ms double precision)
  where c.id = told.id and c.id = any($2::uuid[]) and c.status in ('RUNNING', 'OUTCOME_UNKNOWN') and told.status <> 'RUNNING'
  returning c.id`;

/** Inserts one new row; its parameters are {@link valuesOf} it. Costs PostgreSQL a third less than {@link UPSERT_CALLS}: nothing to parse, and no look for the row that it might be. */
export const INSERT_CALL = `insert into tool_calls (${CALL_NAMES}) values (${CALL_PARAMETERS})`;

/** Inserts new rows; the parameter is their {@link recordset}. */
export const INSERT_CALLS = `insert into tool_calls (${CALL_NAMES}) select ${CALL_NAMES} from ${callRecordset()}`;

/** The parameters of a statement that has the columns of a row in their order. */
export function valuesOf(call: ToolCall): unknown[] {
  const record: Partial<Record<string, unknown>> = recordOf(call);
  return NAMES.map((name) => (name === 'error' && call.error !== null ? JSON.stringify(record[name]) : record[name]));
}

/** The parameter of {@link UPSERT_CALLS} and {@link INSERT_CALLS}. */
export function recordset(calls: readonly ToolCall[]): string {
  return JSON.stringify(calls.map(recordOf));
}

/** As the database takes it. */
export function storableFault(fault: ToolCallFault | null): ToolCallFault | null {
  return fault === null ? null : { ...fault, message: storable(fault.message) };
}

/** The parameters of {@link END_CALLS}. */
export function endset(calls: readonly (ToolCallEnd & Pick<ToolCall, 'id'>)[]): [ends: string, ids: string] {
  const ends = calls.map(({ id, status, error, finishedAt, durationMs }) => ({
    id, status, error: storableFault(error), finished_at: finishedAt?.toISOString() ?? null, duration_ms: durationMs,
  }));
  return [JSON.stringify(ends), `{${calls.map(({ id }) => id).join()}}`];
}

/** Records of calls, what is kept of them, and what leads to them. */
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
    if (filter.assignmentId != null) query.andWhere('c.assignment_id = :assignmentId', { assignmentId: filter.assignmentId });
    return query;
  }

  /** What is still kept of these calls. */
  payloads(ids: readonly string[]): Promise<ToolCallPayload[]> {
    return this.manager
      .createQueryBuilder(ToolCallPayload, 'p')
      .where('p.tool_call_id = any(:ids) and p.expires_at > now()', { ids })
      .getMany();
  }

  /** Notes that a running call is to be cancelled, and tells the process that makes it. */
  async requestCancel(id: string): Promise<void> {
    await this.manager.query(`update tool_calls set cancel_requested_at = coalesce(cancel_requested_at, now()) where id = $1 and status = 'RUNNING'`, [id]);
    await this.manager.query(`select pg_notify('fairlead_cancel', $1)`, [id]);
  }

  /** Says how far a running call is. */
  async noteProgress(id: string, progress: CallProgress): Promise<void> {
    await this.manager.query(`update tool_calls set progress = $2 where id = $1 and status = 'RUNNING'`, [id, JSON.stringify(progress)]);
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

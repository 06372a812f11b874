import { Pool } from 'pg';
import type { ToolCall } from './entities/tool-call.entity.js';
import { CALL_NAMES, CALL_RECORDSET, recordset, type ToolCallEnd } from './tool-calls.js';
import { storable } from './storable.js';

/** A claim on an idempotency key. */
export interface KeyClaim {
  scope: Buffer;
  key: string;
  requestHash: Buffer;
}

/** The call that holds a key. */
export interface ClaimedCall {
  teamId: string;
  toolCallId: string;
  requestHash: Buffer;
}

/** Commits of different connections share their flush to disk; more than a few would only take memory. */
const CONNECTIONS = 4;
/** How long keys, arguments and results are kept (design section 5). */
const KEPT_FOR = `interval '24 hours'`;

const CLAIM = `
  select team_id as "teamId", tool_call_id as "toolCallId", request_hash as "requestHash" from idempotency_keys
  where scope = any($1::bytea[]) and key = $2 and expires_at > now() limit 1`;

/** Inserts the row and what is kept of it, if the claim on the key (where there is one) holds; an expired claim of another is replaced. */
const RESERVE = (claimed: string) => `
  with claimed as (${claimed}),
  recorded as (insert into tool_calls (${CALL_NAMES}) select ${CALL_NAMES} from ${CALL_RECORDSET}, claimed),
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

/**
 * What is committed before and after a call that is kept: its key, its row, what goes in and what comes out. Over a few connections of its own with prepared
 * statements: planning these costs PostgreSQL more than running them.
 */
export class CallReservations {
  readonly #pool: Pool;

  /** `url` is a `postgres://` URL. Connects when it is first used. */
  constructor(url: string) {
    this.#pool = new Pool({
      connectionString: url, max: CONNECTIONS, application_name: 'fairlead kept calls', connectionTimeoutMillis: 10_000, statement_timeout: 30_000, keepAlive: true,
    });
    // A connection that breaks while idle is replaced with the next use, which reports what is wrong.
    this.#pool.on('error', () => undefined);
  }

  /** The unexpired claim on a key in any of these scopes, or null. */
  async claim(scopes: readonly Buffer[], key: string): Promise<ClaimedCall | null> {
    const { rows } = await this.#pool.query<ClaimedCall>({ name: 'claim', text: CLAIM, values: [scopes, key] });
    return rows[0] ?? null;
  }

  /**
   * Commits the claim, the `RUNNING` row and its sealed arguments together. False when another call holds the key: then nothing was written.
   * Without a claim it is always true.
   */
  async reserve(call: ToolCall, sealedArguments: Buffer, claim: KeyClaim | null): Promise<boolean> {
    const values = [recordset([call]), call.id, call.teamId, sealedArguments];
    const { rows } = await this.#pool.query<{ claimed: number }>(claim === null
      ? { name: 'reserve', text: RESERVE_KEYLESS, values }
      : { name: 'reserve keyed', text: RESERVE_KEYED, values: [...values, claim.scope, claim.key, claim.requestHash] });
    return rows[0]?.claimed === 1;
  }

  /** Commits a call's end with its sealed result. */
  async complete(id: string, end: ToolCallEnd, sealedResult: Buffer | null): Promise<void> {
    const error = end.error === null ? null : JSON.stringify({ ...end.error, message: storable(end.error.message) });
    await this.#pool.query({ name: 'complete', text: COMPLETE, values: [id, end.status, error, end.finishedAt, end.durationMs, sealedResult] });
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

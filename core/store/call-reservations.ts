import { Pool } from 'pg';
import type { ToolCall, ToolCallFault } from './entities/tool-call.entity.js';
import { isDataFault } from './data-fault.js';
import { Grouped } from './grouped.js';
import { BY_KEYS_ALONE, HeldClient } from './held-client.js';
import { CALL_NAMES, CALL_PARAMETERS, callRecordset, recordOf, storableFault, valuesOf, type ToolCallEnd } from './tool-calls.js';
import { STATEMENT_TIMEOUT_MS, WatchedClient } from './watched-client.js';

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

/** Look-ups of keys at the same time; the other statements have a connection each. */
const LOOK_UPS = 2;
/** How long keys, arguments and results are kept (design section 5). */
const KEPT_FOR = `interval '24 hours'`;

const CLAIM = `
  select team_id as "teamId", tool_call_id as "toolCallId", request_hash as "requestHash" from idempotency_keys
  where scope = any($1::bytea[]) and key = $2 and expires_at > now() limit 1`;

/** Inserts rows and what is kept of them, where the claim on the key (if there is one) holds; an expired claim of another is replaced. Says which were inserted. */
const RESERVE = `
  with asked as materialized (
    select * from ${callRecordset('sealed_arguments text, claimed_scope text, claimed_key text, request_hash text')}
  ), claimed as (
    insert into idempotency_keys as k (tool_call_id, team_id, scope, key, request_hash, expires_at)
    select id, team_id, decode(claimed_scope, 'hex'), claimed_key, decode(request_hash, 'hex'), now() + ${KEPT_FOR} from asked where claimed_key is not null
    on conflict (scope, key) do update
      set tool_call_id = excluded.tool_call_id, team_id = excluded.team_id, request_hash = excluded.request_hash, expires_at = excluded.expires_at
      where k.expires_at <= now()
    returning tool_call_id
  ), admitted as materialized (
    select * from asked where claimed_key is null or id in (select tool_call_id from claimed)
  ), recorded as (
    insert into tool_calls (${CALL_NAMES}) select ${CALL_NAMES} from admitted
  ), kept as (
    insert into tool_call_payloads (tool_call_id, team_id, sealed_arguments, expires_at)
    select id, team_id, decode(sealed_arguments, 'hex'), now() + ${KEPT_FOR} from admitted
  )
  select id from admitted`;

/** {@link RESERVE} for one row with a claim, which is the usual case: PostgreSQL has nothing to parse. Affects a row where the claim holds. */
const RESERVE_ONE = `
  with claimed as (
    insert into idempotency_keys as k (tool_call_id, team_id, scope, key, request_hash, expires_at) values ($1, $2, $24, $25, $26, now() + ${KEPT_FOR})
    on conflict (scope, key) do update
      set tool_call_id = excluded.tool_call_id, team_id = excluded.team_id, request_hash = excluded.request_hash, expires_at = excluded.expires_at
      where k.expires_at <= now()
    returning tool_call_id
  ), recorded as (
    insert into tool_calls (${CALL_NAMES}) select ${CALL_PARAMETERS} from claimed
  )
  insert into tool_call_payloads (tool_call_id, team_id, sealed_arguments, expires_at) select $1, $2, $23::bytea, now() + ${KEPT_FOR} from claimed`;

/** The ids are a parameter of their own, so that only these rows are looked at, whatever plan was made. */
const COMPLETE = `
  with told as materialized (
    select * from json_to_recordset($1::json) as r(id uuid, status text, error jsonb, finished_at timestamptz, duration_ms double precision, sealed_result text)
  ), ended as (
    update tool_calls c set status = told.status, error = told.error, finished_at = told.finished_at, duration_ms = told.duration_ms
    from told where c.id = told.id and c.id = any($2::uuid[]) and c.status in ('RUNNING', 'OUTCOME_UNKNOWN')
  )
  update tool_call_payloads p set sealed_result = decode(told.sealed_result, 'hex') from told where p.tool_call_id = told.id and p.tool_call_id = any($2::uuid[])`;

const COMPLETE_ONE = `
  with ended as (
    update tool_calls set status = $2, error = $3, finished_at = $4, duration_ms = $5 where id = $1 and status in ('RUNNING', 'OUTCOME_UNKNOWN')
  )
  update tool_call_payloads set sealed_result = $6 where tool_call_id = $1`;

interface Reservation {
  call: ToolCall;
  sealedArguments: Buffer;
  claim: KeyClaim | null;
}

interface Completion {
  id: string;
  end: ToolCallEnd;
  sealedResult: Buffer | null;
}

/**
 * What is committed before and after a call that is kept: its key, its row, what goes in and what comes out. Over a few connections of its own with prepared
 * statements (planning these costs PostgreSQL more than running them), and in groups: a commit costs more than the rows that are in it.
 */
export class CallReservations {
  readonly #pool: Pool;
  readonly #reserving: HeldClient;
  readonly #completing: HeldClient;
  readonly #reservations: Grouped<Reservation, boolean>;
  readonly #completions: Grouped<Completion, void>;

  /** `url` is a `postgres://` URL. Connects when it is first used. */
  constructor(url: string) {
    this.#pool = new Pool({
      connectionString: url, max: LOOK_UPS, application_name: 'fairlead keys of calls', connectionTimeoutMillis: 10_000, statement_timeout: STATEMENT_TIMEOUT_MS, keepAlive: true, Client: WatchedClient,
    });
    // A connection that breaks while idle is replaced with the next use, which reports what is wrong.
    this.#pool.on('error', () => undefined);
    this.#reserving = new HeldClient({ url, name: 'fairlead kept calls', setUp: BY_KEYS_ALONE });
    this.#completing = new HeldClient({ url, name: 'fairlead ends of kept calls', setUp: BY_KEYS_ALONE });
    this.#reservations = new Grouped({ write: (group) => this.#reserve(group), mark: ({ claim }) => (claim === null ? null : sortKey(claim)), isItemFault: isDataFault });
    this.#completions = new Grouped({ write: (group) => this.#complete(group), mark: () => null, isItemFault: isDataFault });
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
  reserve(call: ToolCall, sealedArguments: Buffer, claim: KeyClaim | null): Promise<boolean> {
    return this.#reservations.add({ call, sealedArguments, claim });
  }

  /** Commits a call's end with its sealed result. */
  complete(id: string, end: ToolCallEnd, sealedResult: Buffer | null): Promise<void> {
    return this.#completions.add({ id, end, sealedResult });
  }

  async #reserve(group: readonly Reservation[]): Promise<boolean[]> {
    const [first] = group;
    if (group.length === 1 && first!.claim !== null) return [await this.#reserveOne(first!.call, first!.sealedArguments, first!.claim)];
    // All processes take keys in the same order, so that two groups never wait for each other.
    const ordered = group.toSorted((one, other) => compare(one.claim, other.claim));
    const { rows } = await this.#reserving.query<{ id: string }>({
      name: 'reserve', text: RESERVE, values: [JSON.stringify(ordered.map(({ call, sealedArguments, claim }) => ({
        ...recordOf(call), sealed_arguments: sealedArguments.toString('hex'),
        claimed_scope: claim?.scope.toString('hex') ?? null, claimed_key: claim?.key ?? null, request_hash: claim?.requestHash.toString('hex') ?? null,
      })))],
    });
    const admitted = new Set(rows.map(({ id }) => id));
    return group.map(({ call }) => admitted.has(call.id));
  }

  async #reserveOne(call: ToolCall, sealedArguments: Buffer, { scope, key, requestHash }: KeyClaim): Promise<boolean> {
    const { rowCount } = await this.#reserving.query({ name: 'reserve one', text: RESERVE_ONE, values: [...valuesOf(call), sealedArguments, scope, key, requestHash] });
    return rowCount === 1;
  }

  async #complete(group: readonly Completion[]): Promise<void[]> {
    const [first] = group;
    if (group.length === 1) {
      const { id, end, sealedResult } = first!;
      await this.#completing.query({ name: 'complete one', text: COMPLETE_ONE, values: [id, end.status, textOf(storableFault(end.error)), end.finishedAt?.toISOString() ?? null, end.durationMs, sealedResult] });
      return [undefined];
    }
    await this.#completing.query({
      name: 'complete', text: COMPLETE, values: [JSON.stringify(group.map(({ id, end, sealedResult }) => ({
        id, status: end.status, error: storableFault(end.error), finished_at: end.finishedAt, duration_ms: end.durationMs, sealed_result: sealedResult?.toString('hex') ?? null,
      }))), group.map(({ id }) => id)],
    });
    return group.map(() => undefined);
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.end(), this.#reserving.close(), this.#completing.close()]);
  }
}

function textOf(error: ToolCallFault | null): string | null {
  return error === null ? null : JSON.stringify(error);
}

function sortKey({ scope, key }: KeyClaim): string {
  return `${scope.toString('hex')} ${key}`;
}

function compare(one: KeyClaim | null, other: KeyClaim | null): number {
  const [first, second] = [one, other].map((claim) => (claim === null ? '' : sortKey(claim)));
  return first! < second! ? -1 : first === second ? 0 : 1;
}

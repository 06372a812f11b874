import { InvariantBroken, UserFault } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import type { SessionPool } from '#core/mcp/session-pool.js';
import type { NewAuditEvent } from '#core/store/audit-trail.js';
import { CallLog } from '#core/store/call-log.js';
import { CallReservations } from '#core/store/call-reservations.js';
import { isDataFault } from '#core/store/data-fault.js';
import type { ToolCall } from '#core/store/entities/tool-call.entity.js';
import { Grouped } from '#core/store/grouped.js';
import { IdSource } from '#core/store/id-source.js';
import { newId } from '#core/store/ids.js';
import { Listener } from '#core/store/listener.js';
import type { Page, PageRequest } from '#core/store/page.js';
import type { Store } from '#core/store/store.js';
import { ToolCalls, type ToolCallFilter } from '#core/store/tool-calls.js';
import type { ToolSchemas } from '#core/tool/arguments.js';
import { NO_TRACES, type Traces } from '#core/traces/traces.js';
import { CredentialBox } from '#core/upkeep/credential-box.js';
import { Pulse } from '#core/upkeep/pulse.js';
import type { OAuthTokens } from '#core/upkeep/oauth-tokens.js';
import type { LiveKeyRing } from '#core/vault/live-key-ring.js';
import type { Vault } from '#core/vault/vault.js';
import type { Membership, Principal } from '../identity/principal.js';
import { aside } from './admission.js';
import { Approver, type Commit } from './approver.js';
import { candidateTeams, checkInput } from './call-input.js';
import type { CallRequest, HoldAnswer, ToolCallView } from './call-request.js';
import { CallRunner, type AcceptedCall } from './call-runner.js';
import { CallViews } from './call-views.js';
import { CallWaiter } from './call-waiter.js';
import { Dispatcher } from './dispatch.js';
import { Findings, type FindingsOptions } from './findings.js';
import { Gate } from './gate.js';
import { Idempotency } from './idempotency.js';
import { KeptContent } from './kept-content.js';
import type { Leave } from './limits.js';
import { Logins } from './logins.js';
import { ProcessLife } from './process-life.js';
import { newRecord } from './new-record.js';
import { ProgressNotes } from './progress-notes.js';
import { Records } from './records.js';
import { refusal, type About } from './refusal.js';
import { RouteFinder, Routes, type EnrollLink, type Route } from './route.js';
import { RunningCalls } from './running-calls.js';
import { SchemaChecks } from './schema-checks.js';
import { TeamCache } from './team-cache.js';
import { ToolCatalog, type ToolDefinition } from './tool-catalog.js';

/** What {@link CallService} is built of. */
export interface CallServiceOptions {
  store: Store;
  /** Of the same database: for the connections that records and notifications have of their own. */
  databaseUrl: string;
  vault: Vault;
  /** What the vault opens with; other processes hear which keys this one holds. */
  keyRing: LiveKeyRing;
  sessions: SessionPool;
  schemas: ToolSchemas;
  /** Renews OAuth logins. */
  tokens: Pick<OAuthTokens, 'current' | 'refreshAfterRefusal'>;
  enrollLink: EnrollLink;
  /** Follows calls; left out, none are. */
  traces?: Traces;
  /** Whether people sign in with an issuer: then tokens approve nothing. */
  peopleSignIn?: boolean;
  /** How long a call may wait for approval, in milliseconds; a day unless it is said. */
  approvalMs?: number;
  /** Calls that this process may have in flight. */
  maxInFlight: number;
  logger: Logger;
  now: () => Date;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Called once for every call that ended in this process. */
  onEnded?: (call: ToolCall) => void;
  /** What {@link Findings} make due. */
  due?: FindingsOptions['due'];
  /** Called with each heartbeat: how many operators live. */
  onOperators?: (operators: number) => void;
}

/** A call that may be sent. */
interface Admitted {
  request: CallRequest;
  call: AcceptedCall;
  /** See {@link CallLimits.enter}. */
  leave: Leave;
}

/** How long an end may wait for other records to go with (design section 6, step 5: 50 ms at the most). */
const LINGER_MS = 25;
const PROGRESS_GAP_MS = 500;
const A_DAY_MS = 86_400_000;
const CANCEL_WAIT_MS = 10_000;

/**
 * `callTool` (design section 6), whatever the transport: resolves, checks, records, sends, and says how it ended.
 *
 *     refused (UserFault, audited)
 *        ▲
 *     request ──▶ accepted ──▶ PENDING_APPROVAL ──▶ DENIED, CANCELLED
 *                    │               │
 *                    └───────────────┴──▶ RUNNING ──▶ SUCCEEDED, TOOL_ERROR, FAILED, CANCELLED, OUTCOME_UNKNOWN
 */
export class CallService {
  readonly #options: CallServiceOptions;
  readonly #ids: IdSource;
  readonly #processId = newId();
  readonly #calls: ToolCalls;
  readonly #log: CallLog;
  readonly #reservations: CallReservations;
  readonly #records: Records;
  /** On the audit trail, each as an event of its own: a program that runs into its limits all the time costs rows then, and not commits, which the calls of others need. */
  readonly #refusals: Grouped<NewAuditEvent, void>;
  readonly #views: CallViews;
  readonly #idempotency: Idempotency;
  readonly #kept: KeptContent;
  readonly #cache = new TeamCache();
  readonly #routes: RouteFinder;
  readonly #logins: Logins;
  readonly #catalog: ToolCatalog;
  readonly #checks: SchemaChecks;
  readonly #gate: Gate;
  readonly #approver: Approver;
  readonly #running = new RunningCalls();
  readonly #runner: CallRunner;
  readonly #waiter: CallWaiter;
  readonly #listener: Listener;
  readonly #life: ProcessLife;
  #stopped: Promise<void> | null = null;

  constructor(options: CallServiceOptions) {
    const { store, databaseUrl, vault, sessions, schemas, logger, now, clock } = options;
    this.#options = options;
    this.#ids = new IdSource(() => now().getTime());
    this.#calls = new ToolCalls(store.manager);
    this.#log = new CallLog(databaseUrl);
    this.#reservations = new CallReservations(databaseUrl);
    this.#records = new Records({ write: (calls, awaited) => this.#log.write(calls, awaited), logger, lingerMs: LINGER_MS });
    this.#refusals = new Grouped({ write: (events) => store.audit.appendAll(events).then(() => []), mark: () => null, isItemFault: isDataFault });
    this.#kept = new KeptContent(vault);
    this.#views = new CallViews(this.#calls, store.approvals, this.#kept);
    this.#idempotency = new Idempotency(this.#reservations, vault);
    this.#routes = new RouteFinder(new Routes(store, new CredentialBox(vault), options.enrollLink, clock), this.#cache);
    this.#logins = new Logins({ tokens: options.tokens, sessions, clock });
    this.#catalog = new ToolCatalog(store.tools, this.#cache);
    this.#checks = new SchemaChecks(schemas);
    this.#gate = new Gate({ maxInFlight: options.maxInFlight, clock });
    const findings = new Findings({ store, sessions, forget: (teamId) => this.#cache.invalidate(teamId), due: options.due ?? (() => Promise.resolve()), now });
    this.#runner = new CallRunner({
      dispatcher: new Dispatcher(sessions, this.#checks, this.#logins, clock), records: this.#records, reservations: this.#reservations, kept: this.#kept,
      observe: (route, error, toolsChanged) => {
        this.#gate.ended(route, error);
        return findings.note(route, error, toolsChanged);
      },
      progress: new ProgressNotes({ calls: this.#calls, gapMs: PROGRESS_GAP_MS, now, logger }), now, clock, logger,
    });
    this.#approver = new Approver({
      store, vault, kept: this.#kept, views: this.#views, processId: this.#processId, expiresInMs: options.approvalMs ?? A_DAY_MS, peopleSignIn: options.peopleSignIn ?? false,
      forget: (teamId) => this.#cache.invalidate(teamId), pass: (request, candidates) => this.#pass(request, candidates), enter: (route, principal) => this.#enter(route, principal, true),
      run: (call, leave) => void this.#run(call, new AbortController().signal, leave).catch(() => undefined),
    });
    this.#waiter = new CallWaiter(this.#calls, this.#running);
    this.#listener = new Listener({
      url: databaseUrl, logger, onChange: (listening) => { this.#cache.enabled = listening; },
      handlers: { fairlead_changed: (teamId) => this.#cache.invalidate(teamId), fairlead_cancel: (id) => this.#running.cancel(id) },
    });
    this.#life = new ProcessLife({
      id: this.#processId, processes: store.processes, calls: this.#calls, logger,
      pulse: new Pulse({ role: 'API', processes: store.processes, keyRing: options.keyRing, logger, ...(options.onOperators !== undefined && { onOperators: options.onOperators }) }),
      cancel: (id) => this.#running.cancel(id), onBeat: () => this.#gate.prune(), approvals: store.approvals,
    });
  }

  /** Begins to be seen as living, and to hear of changes. To be awaited before the first call. */
  async start(): Promise<void> {
    await this.#life.start();
    this.#listener.start();
  }

  /** Where this is the installation's only process: what a killed one left running is `OUTCOME_UNKNOWN` at once. Returns how many calls were. */
  adoptOrphans(): Promise<number> {
    return this.#life.adoptOrphans();
  }

  /** Refuses new calls, lets those that run finish, cancels them after `graceMs`, and returns when every record is written. */
  stop(graceMs: number): Promise<void> {
    return this.#stopped ??= this.#stop(graceMs);
  }

  async #stop(graceMs: number): Promise<void> {
    await this.#running.finish(graceMs);
    const lost = await this.#records.drain();
    if (lost > 0) this.#options.logger.error({ calls: lost }, 'the database did not take the last records: these calls will be found as OUTCOME_UNKNOWN');
    await this.#listener.stop();
    await this.#life.stop();
    await this.#log.close();
    await this.#reservations.close();
  }

  /** Forgets what was cached of a team: to be called after each change that this process committed. Others hear `fairlead_changed`. */
  invalidate(teamId: string): void {
    this.#cache.invalidate(teamId);
  }

  /**
   * Makes a call, or finds the one that was made with its idempotency key.
   * @throws {UserFault} for refusals before anything was sent; they are on the audit trail then
   */
  call(request: CallRequest): Promise<ToolCallView> {
    const { traces = NO_TRACES } = this.#options;
    return traces.span('mutation callTool', 'SERVER', { 'fairlead.request_id': request.requestId }, async (span) => {
      const about: About = { membership: null, route: null };
      try {
        const view = await this.#call(request, about);
        const { id, tool, status, error } = view.record;
        span.add({ 'fairlead.tool_call.id': id, 'fairlead.tool_call.status': status, 'gen_ai.tool.name': tool });
        if (error !== null) span.failed(error.code);
        return view;
      } catch (error) {
        if (error instanceof UserFault) await this.#refusals.add(refusal(request, about, error));
        throw error;
      }
    });
  }

  /** Cancels a call, whichever process makes it; one that has ended is left as it is. @throws {UserFault} `NOT_FOUND` */
  async cancel(principal: Principal, id: string): Promise<ToolCallView> {
    await this.#records.flush();
    const record = await this.#views.record(principal, id);
    if (record === null) throw new UserFault('NOT_FOUND', 'There is no such call: list the team\'s toolCalls for those that there are.', { field: ['input', 'id'] });
    if (record.status === 'PENDING_APPROVAL') await this.#options.store.approvals.end(id, 'VOIDED', 'CANCELLED', null);
    if ((await this.#calls.byId(id))?.status === 'RUNNING') {
      if (this.#running.get(id) === undefined) await this.#calls.requestCancel(id);
      else this.#running.cancel(id);
      await this.#waiter.ended(id, CANCEL_WAIT_MS, null);
    }
    return await this.get(principal, id) ?? { record, arguments: null, contentState: 'NOT_KEPT', content: null, structuredContent: null };
  }

  /** Approves a call that waits, so that it runs in this process. `commit` commits the decision, with what belongs to it. See {@link Approver.approve}. */
  async approve(principal: Principal, id: string, comment: string | null, commit: Commit): Promise<ToolCallView> {
    if (this.#stopped !== null) throw shuttingDown();
    await this.#approver.approve(principal, id, comment, commit);
    return (await this.get(principal, id))!;
  }

  /** Denies a call that waits. See {@link Approver.deny}. */
  async deny(principal: Principal, id: string, comment: string | null, commit: Commit): Promise<ToolCallView> {
    await this.#approver.deny(principal, id, comment, commit);
    return (await this.get(principal, id))!;
  }

  /** The call as this caller may see it; null for those who may not, as for one that doesn't exist. */
  async get(principal: Principal, id: string): Promise<ToolCallView | null> {
    await this.#records.flush();
    const record = await this.#views.record(principal, id);
    return record === null ? null : (await this.#views.views(principal, [record]))[0]!;
  }

  /** One page of a team's calls, newest first; the cursor is the id. See {@link views} for what is kept of them. */
  async list(principal: Principal, teamId: string, filter: ToolCallFilter, page: PageRequest): Promise<Page<ToolCall>> {
    await this.#records.flush();
    return this.#views.page(principal, teamId, filter, page);
  }

  /** How many calls {@link list} has on all pages. */
  async count(principal: Principal, teamId: string, filter: ToolCallFilter): Promise<number> {
    await this.#records.flush();
    return this.#views.count(principal, teamId, filter);
  }

  /** Views of records that this caller was given, in their order, with one statement: for a data loader. */
  views(principal: Principal, records: readonly ToolCall[]): Promise<ToolCallView[]> {
    return this.#views.views(principal, records);
  }

  async #call(request: CallRequest, about: About): Promise<ToolCallView> {
    const began = this.#options.clock();
    checkInput(request);
    const candidates = candidateTeams(request);
    if (candidates.length === 1) about.membership = candidates[0]!;
    if (request.idempotencyKey == null) return this.#begin(await this.#admit(request, about, candidates, began));
    // Where the team is known, the reservation itself finds out whether the key is taken: the first use of a key, which is the usual one, asks nobody before.
    const asked = candidates.length === 1 ? null : await this.#earlier(request, candidates);
    if (asked !== null) return asked;
    return this.#begin(await this.#admit(request, about, candidates, began).catch(async (error: unknown) => {
      // An outcome is given again whatever has become of type, enrollment and limits since.
      const earlier = error instanceof UserFault && error.code !== 'IDEMPOTENCY_MISMATCH' ? await this.#earlier(request, candidates) : null;
      if (earlier === null) throw error;
      return earlier;
    }));
  }

  /** Everything that may refuse a call, up to its reservation. The call that holds its key already, where that is so. */
  async #admit(request: CallRequest, about: About, candidates: readonly Membership[], began: number): Promise<Admitted | ToolCallView> {
    const found = about.route = await this.#routes.find(request, candidates);
    // A repetition needs no login, and shouldn't wait for one.
    const repeated = request.idempotencyKey != null && this.#logins.mustWait(found) ? await this.#earlier(request, candidates) : null;
    if (repeated !== null) return repeated;
    const membership = about.membership = candidates.find((candidate) => candidate.teamId === found.teamId)!;
    const { route, tool, deadline } = await this.#pass(request, candidates, found, began);
    if (this.#stopped !== null) throw shuttingDown();

    const leave = this.#enter(route, request.principal);
    const record = newRecord(request, route, membership, tool, { id: this.#ids.next(), processId: this.#processId, startedAt: this.#options.now() });
    const waits = record.status === 'PENDING_APPROVAL';
    if (waits) await this.#approver.ask(request, record, route, tool).catch((error: unknown) => { leave('UNMADE'); throw error; });
    const reserved = !record.kept || await this.#reserve(request, record, membership).catch((error: unknown) => { leave('UNMADE'); throw error; });
    if (reserved && !waits) return { request, leave, call: { record, route, tool, arguments: request.arguments, deadline, slot: request.slot } };
    leave(reserved ? 'ASKED' : 'UNMADE');
    if (reserved) return this.#waiting(request, record, deadline);
    if (waits) await this.#options.store.approvals.remove(record.id);
    const winner = await this.#earlier(request, candidates);
    if (winner === null) throw new InvariantBroken('an idempotency key was held by nobody');
    return winner;
  }

  /** Takes a request through everything that doesn't count or write: the way through, the login, tool and arguments. */
  async #pass(request: CallRequest, candidates: readonly Membership[], known?: Route, began = this.#options.clock()): Promise<{ route: Route; tool: ToolDefinition; deadline: number }> {
    const found = known ?? await this.#routes.find(request, candidates);
    const deadline = began + Math.min(request.timeoutMs ?? Infinity, found.spec.calls.timeoutMs);
    const ready = this.#logins.ready(found, { timeoutMs: deadline - this.#options.clock(), signal: request.signal });
    const route = ready instanceof Promise ? await aside(request.slot, ready) : ready;
    const tool = await this.#catalog.callable(route, request.tool);
    await this.#checks.arguments(tool, request.arguments);
    return { route, tool, deadline };
  }

  #enter(route: Route, { tokenId, limits }: Principal, asked = false): Leave {
    return this.#gate.enter(route, tokenId === null || limits == null ? null : { id: tokenId, limits, asked });
  }

  /** The call that waits for approval: after its end, or when its caller has waited long enough. */
  async #waiting(request: CallRequest, record: ToolCall, deadline: number): Promise<ToolCallView> {
    if (request.wait) await aside(request.slot, this.#waiter.ended(record.id, deadline - this.#options.clock(), request.signal));
    return (await this.#views.views(request.principal, [await this.#calls.byId(record.id) ?? record]))[0]!;
  }

  #begin(admitted: Admitted | ToolCallView): Promise<ToolCallView> | ToolCallView {
    if (!('call' in admitted)) return admitted;
    const { request, call, leave } = admitted;
    const ended = this.#run(call, request.signal, leave, request.hold);
    if (request.wait) return ended;
    ended.catch(() => undefined);
    return { record: call.record, arguments: request.arguments, contentState: 'AVAILABLE', content: null, structuredContent: null };
  }

  /** Starts the call; it goes on when its caller has gone, unless it has no key and somebody should be waiting. Resolves when its end is on record, or sooner where that holds the answer. */
  #run(call: AcceptedCall, disconnect: AbortSignal, leave: () => void, hold?: HoldAnswer): Promise<ToolCallView> {
    const { id, kept } = call.record;
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    if (!kept) {
      if (disconnect.aborted) abort();
      else disconnect.addEventListener('abort', abort, { once: true });
    }
    const made = this.#runner.run(call, controller.signal);
    const ended = made.then(({ view, committed }) => committed.then(() => view)).finally(() => {
      leave();
      call.slot?.release();
      disconnect.removeEventListener('abort', abort);
    });
    this.#running.add(id, { controller, ended });
    if (this.#options.onEnded !== undefined) ended.then(({ record }) => this.#options.onEnded?.(record), () => undefined);
    if (hold === undefined) return ended;
    return made.then(({ view }) => {
      hold(ended);
      return view;
    });
  }

  /** Commits what must be on record before anything of a call that is kept leaves. False when another call took the key meanwhile. */
  async #reserve(request: CallRequest, record: ToolCall, membership: Membership): Promise<boolean> {
    const { idempotencyKey: key } = request;
    const sealed = await this.#kept.sealArguments(record.teamId, record.id, request.arguments);
    return this.#reservations.reserve(record, sealed, key == null ? null : await this.#idempotency.claim(request, key, membership));
  }

  /** The call that holds the request's key: its outcome, or itself while it runs; null where the key is free. */
  async #earlier(request: CallRequest, candidates: readonly Membership[]): Promise<ToolCallView | null> {
    const id = await this.#idempotency.find(request, request.idempotencyKey!, candidates);
    if (id === null) return null;
    if (request.wait) await aside(request.slot, this.#waiter.ended(id, request.timeoutMs ?? 600_000, request.signal));
    const record = await this.#calls.byId(id);
    if (record === null) throw new InvariantBroken(`call ${id} has a key but no record`);
    return (await this.#views.views(request.principal, [record]))[0]!;
  }
}

function shuttingDown(): UserFault {
  return new UserFault('OVERLOADED', 'This process is shutting down. Try again.', { retryable: true, retryAfterMs: 1000 });
}

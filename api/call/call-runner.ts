import { InvariantBroken } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import type { Progress } from '#core/mcp/session.js';
import type { CallReservations } from '#core/store/call-reservations.js';
import type { ToolCall } from '#core/store/entities/tool-call.entity.js';
import type { Slot } from './admission.js';
import type { ToolCallView } from './call-request.js';
import { withContent } from './call-views.js';
import type { Dispatched, Dispatcher } from './dispatch.js';
import type { KeptContent } from './kept-content.js';
import { brokenOff, type Outcome } from './outcome.js';
import type { ProgressNote, ProgressNotes } from './progress-notes.js';
import { recordedFault } from './recorded-fault.js';
import type { Records } from './records.js';
import type { Route } from './route.js';
import type { ToolDefinition } from './tool-catalog.js';

/** A call that passed every check, and may be sent. */
export interface AcceptedCall {
  /** `RUNNING`; already committed where {@link ToolCall.kept}. */
  record: ToolCall;
  route: Route;
  tool: ToolDefinition;
  arguments: Record<string, unknown>;
  /** On the monotonic clock. */
  deadline: number;
  /** See {@link CallRequest.slot}. */
  slot?: Slot | undefined;
}

/** What {@link CallRunner} is built of. */
export interface CallRunnerOptions {
  dispatcher: Dispatcher;
  records: Records;
  reservations: Pick<CallReservations, 'complete'>;
  kept: KeptContent;
  /** Acts on what the outcome says about credential and server, before the answer leaves; `error` is what ended the call, or null. */
  observe: (route: Route, error: unknown, toolsChanged: boolean) => Promise<void>;
  /** Keeps what the server says of how far the call is. */
  progress: ProgressNotes;
  now: () => Date;
  /** Monotonic milliseconds. */
  clock: () => number;
  logger: Logger;
}

/** A call that has ended. */
export interface EndedCall {
  /** As its caller sees it. */
  view: ToolCallView;
  /** Kept when everything is on record that must be before the answer leaves. */
  committed: Promise<void>;
}

/**
 * Sends a call and keeps its record. Where the call is kept (a key, or nobody waits) the row was committed before, and its end is before the answer; else the row
 * is written while the request is on its way and is committed before the answer, and its end follows within moments.
 */
export class CallRunner {
  constructor(private readonly options: CallRunnerOptions) {}

  /** Makes the call. @throws faults of our own, after the record says what is known */
  async run(call: AcceptedCall, signal: AbortSignal): Promise<EndedCall> {
    const began = this.options.clock();
    call.slot?.begin();
    const stored = call.record.kept ? Promise.resolve() : this.options.records.store(call.record);
    stored.catch(() => undefined);
    // While the database doesn't take records, nothing is sent before its record is stored.
    if (this.options.records.failing) await stored.catch((error: unknown) => this.#giveUp(call, began, 'NOTHING', error));

    const progress = call.record.kept ? this.options.progress.of(call) : null;
    const answered = this.#send(call, signal, progress).catch((cause: unknown) => this.#giveUp(call, began, 'MAYBE', cause));
    const sent = progress === null ? answered : answered.finally(() => progress.stop());
    const { outcome, error, route, toolsChanged } = await (call.slot === undefined ? sent : call.slot.during(stored, sent));
    const told = this.#ended(call.record, outcome, began);
    const kept = told.error === null ? told : { ...told, error: recordedFault(told.error, call.arguments) };
    // If the row still waits, it is inserted as it is now.
    if (!kept.kept) this.options.records.storeSoon(kept);
    const committed = kept.kept ? this.#complete(kept, outcome) : stored;
    committed.catch(() => undefined);
    await this.options.observe(route, error, toolsChanged);
    const { type, enrollment } = route;
    // With a key, the first answer is the one that is given again.
    const shown = kept.kept ? kept : told;
    const view = withContent({ record: shown, arguments: call.arguments, contentState: 'AVAILABLE', content: null, structuredContent: null, went: { type, enrollment, assignment: route.assignment?.row ?? null } }, outcome.content);
    return { view, committed };
  }

  #send({ route, tool, record, arguments: args, deadline }: AcceptedCall, signal: AbortSignal, progress: ProgressNote | null): Promise<Dispatched> {
    const timeoutMs = Math.max(1, deadline - this.options.clock());
    const onProgress = progress === null ? undefined : (said: Progress): void => progress.said(said);
    return this.options.dispatcher.send({ route, tool, name: record.tool, arguments: args, timeoutMs, signal, onProgress });
  }

  /** Commits the end with the sealed result; if the database doesn't take it, the record goes on being tried without the result. */
  async #complete(record: ToolCall, { content }: Outcome): Promise<void> {
    try {
      const sealed = content === null ? null : await this.options.kept.sealResult(record.teamId, record.id, content);
      await this.options.reservations.complete(record.id, record, sealed);
    } catch (error) {
      this.options.records.storeSoon(record);
      throw new InvariantBroken(`the end of call ${record.id} (${record.status}) could not be written`, { cause: error });
    }
  }

  #giveUp({ record }: AcceptedCall, began: number, sent: 'NOTHING' | 'MAYBE', error: unknown): never {
    this.options.logger.error({ err: error, requestId: record.requestId, toolCallId: record.id, sent }, 'a fault of ours ended a call');
    this.options.records.storeSoon(this.#ended(record, brokenOff(sent, record.requestId), began));
    throw error;
  }

  #ended(record: ToolCall, { status, error }: Outcome, began: number): ToolCall {
    return { ...record, status, error, finishedAt: this.options.now(), durationMs: this.options.clock() - began };
  }
}

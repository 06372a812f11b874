import { UserFault } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import type { Enrollment } from '#core/store/entities/enrollment.entity.js';
import { callDigest, LiveVersions } from '#core/store/live-versions.js';
import type { Store } from '#core/store/store.js';
import type { CallService } from '../call/call-service.js';
import type { ToolCallView } from '../call/call-request.js';
import type { Context } from '../context.js';
import { uuidOf } from '../graphql/node-id.js';
import { IdentityFault } from '../identity/identity-fault.js';
import { membershipIn } from '../identity/principal.js';
import { changesFor, reading, visibleTo, type ChangeKind, type Reading } from './changes.js';
import { Feeds } from './feed.js';
import { stoppable } from './stoppable.js';

/** What {@link LiveStreams} is built of. */
export interface LiveStreamsOptions {
  store: Store;
  calls: Pick<CallService, 'get'>;
  logger: Logger;
  /** Reads of a team are at least this far apart. */
  gapMs: number;
  /** Teams are read at the latest after this: the safety net for when notifications are not heard. */
  pollMs: number;
  /** Watched calls are looked at this often, all with one statement: other processes notify nobody of a call's end. */
  callPollMs: number;
}

/** A change of a row; null when it was deleted, or is no longer the viewer's to see. */
export interface RowChange<R> {
  kind: ChangeKind;
  id: string;
  row: R | null;
}

const NO_TEAM = 'There is no such team, or you are not a member of it.';
const NO_CALL = 'There is no such call: list the team\'s toolCalls for those that there are.';
/** What was loaded for an event isn't used for a later one than this, in milliseconds: its viewer may have been slow to take it. */
const STALE_MS = 1000;
/** Calls have one feed for all of them. */
const ALL = 'calls';
/** Rows that are read at once. */
const BATCH = 50;

/**
 * What the subscriptions emit. Each event is what its viewer may see when it is made: who they are is asked anew, the row is read anew, and what they may
 * no longer see ends the stream or counts as deleted. Streams begin where they are subscribed to: what is there already is not told.
 */
export class LiveStreams {
  readonly #versions: LiveVersions;
  readonly #types: Feeds<Reading>;
  readonly #enrollments: Feeds<Reading>;
  readonly #calls: Feeds<Map<string, string>>;
  /** Calls that are watched, and by how many. */
  readonly #watched = new Map<string, number>();

  constructor(private readonly options: LiveStreamsOptions) {
    const { store, logger, gapMs, pollMs, callPollMs } = options;
    this.#versions = new LiveVersions(store.manager);
    this.#types = new Feeds({ gapMs, pollMs, logger, read: async (teamId) => reading(await this.#versions.connectionTypes(teamId)) });
    this.#enrollments = new Feeds({ gapMs, pollMs, logger, read: async (teamId) => reading(await this.#versions.enrollments(teamId)) });
    this.#calls = new Feeds({ gapMs: 0, pollMs: callPollMs, logger, read: () => this.#versions.calls([...this.#watched.keys()]) });
  }

  /** Something of the team changed, in whatever process. */
  teamChanged(teamId: string): void {
    this.#types.wake(teamId);
    this.#enrollments.wake(teamId);
  }

  /** Anything may have changed: notifications were not heard for a while. */
  anythingChanged(): void {
    this.#types.wakeAll();
    this.#enrollments.wakeAll();
  }

  /** The call ended in this process. */
  callEnded(id: string): void {
    if (this.#watched.has(id)) this.#calls.wake(ALL);
  }

  /** Changes of the team's connection types. Its errors are `UserFault`s NOT_FOUND for strangers, and `IdentityFault`s. */
  connectionTypes(context: Context, teamSlug: string): AsyncIterableIterator<RowChange<ConnectionType>> {
    return this.#team(context, teamSlug, this.#types, (ids) => context.loaders.connectionType.loadMany(ids), () => true);
  }

  /** Changes of the enrollments that the viewer may see: their own, and those that are shared with the team. Errors as above. */
  enrollments(context: Context, teamSlug: string): AsyncIterableIterator<RowChange<Enrollment>> {
    return this.#team(context, teamSlug, this.#enrollments, (ids) => context.loaders.enrollment.loadMany(ids), (memberId, row) => visibleTo(memberId, row));
  }

  /** The call as it is now, then after each change, until it has ended. NOT_FOUND for those who may not see it, also when that comes to be so. */
  toolCall(context: Context, id: string): AsyncIterableIterator<ToolCallView> {
    const uuid = uuidOf('ToolCall', id);
    return stoppable(context.signal, (signal) => this.#call(context, uuid, signal));
  }

  #team<R extends ConnectionType | Enrollment>(
    context: Context, slug: string, feeds: Feeds<Reading>, load: (ids: string[]) => Promise<(R | Error | null)[]>, visible: (memberId: string, row: R) => boolean,
  ): AsyncIterableIterator<RowChange<R>> {
    return stoppable(context.signal, (signal) => this.#changes(context, slug, feeds, load, visible, signal));
  }

  async *#changes<R extends ConnectionType | Enrollment>(
    context: Context, slug: string, feeds: Feeds<Reading>, load: (ids: string[]) => Promise<(R | Error | null)[]>, visible: (memberId: string, row: R) => boolean, signal: AbortSignal,
  ): AsyncGenerator<RowChange<R>, void> {
    // Who they were when they connected is of no account.
    await context.renew();
    const teamId = context.principal.memberships.find((membership) => membership.teamSlug === slug)?.teamId;
    if (teamId === undefined) throw new UserFault('NOT_FOUND', NO_TEAM, { field: ['team'] });
    const feed = feeds.join(teamId);
    try {
      let before = await feed.fresh();
      let { round } = feed;
      const { memberId } = memberOf(context, teamId);
      this.options.logger.debug({ requestId: context.requestId, teamId }, 'a subscription began');
      for (;;) {
        const after = await feed.after(round, signal);
        if (after === null) return;
        round = feed.round;
        if (!(await this.#renewed(context))) continue;
        if (memberOf(context, teamId).memberId !== memberId) throw new UserFault('NOT_FOUND', NO_TEAM, { field: ['team'] });
        const changes = changesFor(memberId, before, after);
        before = after;
        for (let at = 0; at < changes.length; at += BATCH) yield* this.#events(context, teamId, memberId, changes.slice(at, at + BATCH), load, visible);
      }
    } finally {
      feeds.leave(teamId);
    }
  }

  /** Events of one batch, whose rows are read with one statement, and again for those that wait long for their viewer. */
  async *#events<R extends ConnectionType | Enrollment>(
    context: Context, teamId: string, memberId: string, changes: { kind: ChangeKind; id: string }[], load: (ids: string[]) => Promise<(R | Error | null)[]>, visible: (memberId: string, row: R) => boolean,
  ): AsyncGenerator<RowChange<R>, void> {
    let loadedAt = -Infinity;
    for (const [index, { kind, id }] of changes.entries()) {
      await context.renew();
      if (memberOf(context, teamId).memberId !== memberId) throw new UserFault('NOT_FOUND', NO_TEAM, { field: ['team'] });
      if (kind === 'DELETED') {
        yield { kind, id, row: null };
        continue;
      }
      if (performance.now() - loadedAt > STALE_MS) {
        context.loaders.forget();
        loadedAt = performance.now();
        await load(changes.slice(index).filter((change) => change.kind !== 'DELETED').map((change) => change.id));
      }
      const [row] = await load([id]);
      if (row instanceof Error) throw row;
      // Gone or withdrawn since it was compared: the next comparison says so.
      if (row != null && visible(memberId, row)) yield { kind, id, row };
    }
  }

  async *#call(context: Context, id: string | null, signal: AbortSignal): AsyncGenerator<ToolCallView, void> {
    if (id === null) throw new UserFault('NOT_FOUND', NO_CALL, { field: ['id'] });
    await context.renew();
    const feed = this.#calls.join(ALL);
    this.#watched.set(id, (this.#watched.get(id) ?? 0) + 1);
    try {
      let told: string | null = null;
      for (let { round } = feed; ;) {
        const view = await this.options.calls.get(context.principal, id);
        if (view === null) throw new UserFault('NOT_FOUND', NO_CALL, { field: ['id'] });
        context.loaders.forget();
        const lookedAt = performance.now();
        const digest = callDigest(view.record);
        if (digest !== told) yield view;
        told = digest;
        if (view.record.finishedAt !== null) return;
        feed.wake();
        for (;;) {
          const statuses = await feed.after(round, signal);
          if (statuses === null) return;
          round = feed.round;
          const due = (statuses.get(id) ?? told) !== told || performance.now() - lookedAt > this.options.pollMs;
          if (due && (await this.#renewed(context))) break;
        }
      }
    } finally {
      this.#calls.leave(ALL);
      const others = this.#watched.get(id)! - 1;
      if (others > 0) this.#watched.set(id, others);
      else this.#watched.delete(id);
    }
  }

  /** Asks anew who is watching. False when that can't be told just now: then nothing is emitted until it can. */
  async #renewed(context: Context): Promise<boolean> {
    try {
      await context.renew();
      return true;
    } catch (error) {
      if (error instanceof IdentityFault && error.code === 'UNAUTHENTICATED') throw error;
      this.options.logger.warn({ err: error, requestId: context.requestId }, 'who is watching could not be told; trying again');
      return false;
    }
  }
}

function memberOf(context: Context, teamId: string): { memberId: string } {
  const membership = membershipIn(context.principal, teamId);
  if (membership === null) throw new UserFault('NOT_FOUND', NO_TEAM, { field: ['team'] });
  return membership;
}

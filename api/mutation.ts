import { UserFault } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import type { Repositories, Store } from '#core/store/store.js';
import type { Traces } from '#core/traces/traces.js';
import type { Context } from './context.js';
import { userError, type UserError } from './graphql/user-error.type.js';
import { callingAs } from './identity/principal.js';

/** What a mutation acted on, for the audit trail. */
export interface AuditSubject {
  type: string;
  id: string;
  name: string;
}

/** One mutation under way: says what it is about, and commits. */
export class Act {
  teamId: string | null = null;
  subject: AuditSubject | null = null;

  constructor(private readonly mutations: Mutations, readonly context: Context, private readonly action: string) {}

  /** Says what the mutation is about, as soon as it is known, so that refusals are on record with it. */
  about(teamId: string, subject: AuditSubject | null = null): void {
    this.teamId = teamId;
    this.subject = subject ?? this.subject;
  }

  /**
   * Runs `work` in one transaction with the audit row, tells every replica that the team changed, and lets the rest of this request read afresh.
   * Nothing of it is visible when it throws.
   */
  async commit<T>(work: (repositories: Repositories) => Promise<T>): Promise<T> {
    const result = await this.mutations.store.transaction(async (repositories) => {
      const value = await work(repositories);
      await this.mutations.record(repositories, this, this.action, 'SUCCEEDED', null);
      if (this.teamId !== null) await repositories.announce(this.teamId);
      return value;
    });
    this.mutations.changed(this.teamId);
    this.context.loaders.forget();
    return result;
  }

  /** Puts the mutation on the audit trail, before it does what has no transaction that the row could be part of. */
  note(): Promise<void> {
    return this.mutations.record(this.mutations.store, this, this.action, 'SUCCEEDED', null);
  }
}

/** How mutations answer: expected refusals as `userErrors`, everything on the audit trail. */
export class Mutations {
  constructor(
    readonly store: Store,
    private readonly logger: Logger,
    private readonly traces: Traces,
    /** Called after each commit, so that this process forgets what it cached of the team. */
    readonly changed: (teamId: string | null) => void,
  ) {}

  /** Runs `work`; a `UserFault` becomes a payload of nulls with that one error. Other errors are ours and pass through. */
  run<P extends object>(context: Context, action: string, work: (act: Act) => Promise<P>): Promise<P | { userErrors: UserError[] }> {
    return this.traces.span(`mutation ${action}`, 'SERVER', { 'fairlead.request_id': context.requestId }, async (span) => {
      const answer = await this.#run(context, action, work);
      const [refusal] = 'userErrors' in answer ? answer.userErrors : [];
      if (refusal !== undefined) span.failed(refusal.code);
      return answer;
    });
  }

  async #run<P extends object>(context: Context, action: string, work: (act: Act) => Promise<P>): Promise<P | { userErrors: UserError[] }> {
    const act = new Act(this, context, action);
    try {
      return { ...(await work(act)), userErrors: [] };
    } catch (error) {
      const refused = error instanceof UserFault;
      await this.record(this.store, act, action, refused ? 'REFUSED' : 'FAILED', refused ? error.code : null).catch((cause: unknown) => {
        this.logger.error({ err: cause, requestId: context.requestId, action }, 'a refusal could not be written to the audit trail');
      });
      if (refused) return { userErrors: [userError(error)] };
      throw error;
    }
  }

  /** Appends to the audit trail. */
  async record(repositories: Repositories, act: Act, action: string, outcome: 'SUCCEEDED' | 'REFUSED' | 'FAILED', code: string | null): Promise<void> {
    const { principal, requestId } = act.context;
    const membership = callingAs(principal).find(({ teamId }) => teamId === act.teamId);
    await repositories.audit.append({
      teamId: act.teamId, actorId: membership?.memberId ?? null, actorName: principal.displayName,
      onBehalfOfName: principal.assignment?.onBehalfOf === true ? principal.displayName : null, tokenId: principal.tokenId, action,
      subjectType: act.subject?.type ?? null, subjectId: act.subject?.id ?? null, subjectName: act.subject?.name ?? null, outcome, code, requestId,
    });
  }
}

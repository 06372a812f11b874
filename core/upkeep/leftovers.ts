import { setTimeout as delay } from 'node:timers/promises';
import { quotePeer } from '../errors.js';
import type { Logger } from '../log.js';
import type { OAuthTransport } from '../oauth/transport.js';
import type { OAuthLeftover } from '../store/entities/oauth-grant.entity.js';
import type { Repositories, Store } from '../store/store.js';
import { auditEnd, LeftoverCollector, openLeftover, sealLeftover, type CollectorOptions, type Leaving } from './leftovers-collector.js';
import { undo } from './leftovers-undo.js';
import { OAuthLeftovers } from '../store/oauth-leftovers.js';
import type { OrphanedTokens } from './oauth-tokens.js';

/** What {@link Leftovers} is built of. */
export interface LeftoversOptions extends CollectorOptions {
  store: Store;
  transport: OAuthTransport;
  /** What people see of our client. */
  clientName: string;
  now: () => Date;
  /** From 0 to 1. */
  random: () => number;
  logger: Logger;
  /** How often the background looks for what is due. */
  pollMs?: number;
}

/** What became of something at its provider. */
export interface Undone {
  outcome: OAuthLeftover['outcome'];
  /** For people. */
  message: string;
}

const POLL_MS = 5000;
const AT_ONCE = 4;
const SHORTEST_BACKOFF_MS = 5000;
const LONGEST_BACKOFF_MS = 60 * 60_000;
const KEPT_DAYS = 30;

/**
 * Leaving (design section 7, "Revocation"): what was deleted here is undone at its provider. It is written down, sealed, in the transaction that deletes, tried
 * at once, by whoever deleted it, and then by the operator with back-off until it is done, can't be done, or is given up. Nothing of it holds up the deletion.
 *
 *     PENDING ──▶ REVOKED, NOT_SUPPORTED, ABANDONED   (then nothing sealed is left, and the audit trail has it)
 */
export class Leftovers {
  readonly #options: LeftoversOptions;
  readonly #collector: LeftoverCollector;
  readonly #ended = new AbortController();
  readonly #work = new Set<Promise<unknown>>();
  #loop: Promise<void> | null = null;

  constructor(options: LeftoversOptions) {
    this.#options = options;
    this.#collector = new LeftoverCollector(options);
  }

  /** To be called before the transaction that {@link collect} is part of, so that the team's keys are at hand in it. */
  async prepare(teamId: string): Promise<void> {
    await this.#options.vault.keyedHash(teamId, 'leftovers');
  }

  /** Writes down what the deletion leaves at providers, inside its transaction and before it deletes. Answers the leftovers' ids, for {@link settle}. */
  collect(repositories: Repositories, leaving: Leaving): Promise<string[]> {
    return this.#collector.collect(repositories, leaving);
  }

  /** Tries what was just collected, for so long at the most, and says how far it came; what isn't done goes on in the background. */
  async settle(ids: readonly string[], withinMs: number): Promise<Undone[]> {
    if (ids.length === 0) return [];
    const bound = new AbortController();
    await Promise.race([this.#tracked(this.#attemptDue(ids)), delay(withinMs, undefined, { signal: bound.signal }).catch(() => undefined)]);
    bound.abort();
    const rows = await this.#options.store.oauthLeftovers.byIds(ids);
    return rows.map(({ outcome, message }) => ({ outcome, message: message === '' ? 'The provider hasn\'t answered yet; it goes on being tried.' : message }));
  }

  /** As {@link settle}, without waiting: for deletions of many. */
  begin(ids: readonly string[]): void {
    if (ids.length > 0) void this.#tracked(this.#attemptDue(ids));
  }

  /** Tokens that came when their enrollment was gone: nobody but us knows them. */
  async orphaned({ teamId, subjectName, setup: { client, discovery }, tokens }: OrphanedTokens): Promise<void> {
    const id = OAuthLeftovers.newId();
    const { issuer, metadata } = discovery;
    const sealed = await sealLeftover(this.#options.vault, { id, teamId }, { kind: 'TOKENS', client, metadata, tokens: { accessToken: tokens.accessToken, refreshToken: tokens.refreshToken } });
    await this.#collector.insert(this.#options.store, { id, teamId, kind: 'TOKENS', subjectName, issuer, sealed });
    this.begin([id]);
  }

  /** Begins to look for what is due, whoever has deleted it: the operator's work. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** Stops looking, cuts off what is under way, which may be repeated, and waits for that. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#loop;
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }

  /** Tries everything that is due now, of whichever process; returns when it was tried. */
  async sweep(): Promise<void> {
    await this.#attemptDue(null);
    await this.#options.store.oauthLeftovers.prune(KEPT_DAYS);
  }

  async #run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      await this.sweep().catch((error: unknown) => this.#options.logger.warn({ err: error }, 'looking for revocations that are due failed'));
      await delay(this.#options.pollMs ?? POLL_MS, undefined, { signal: this.#ended.signal, ref: false }).catch(() => undefined);
    }
  }

  async #attemptDue(ids: readonly string[] | null): Promise<void> {
    const { store, transport } = this.#options;
    for (;;) {
      // Longer than the requests of one attempt take: a refresh token's, an access token's.
      const claimed = await store.oauthLeftovers.claimDue(AT_ONCE, 3 * transport.timeoutMs, ids);
      if (claimed.length === 0 || this.#ended.signal.aborted) return;
      await Promise.all(claimed.map((leftover) => this.#attempt(leftover)));
    }
  }

  async #attempt(leftover: OAuthLeftover): Promise<void> {
    const { store, vault, transport, clientName, now, random, logger } = this.#options;
    try {
      const attempt = await undo(await openLeftover(vault, leftover), { issuer: leftover.issuer, transport: { ...transport, signal: this.#ended.signal }, clientName, now: now() });
      const at = await store.now();
      if (attempt.outcome !== 'FAILED') return await this.#end(leftover, attempt.outcome, attempt.message);
      if (!attempt.retryable || at >= leftover.giveUpAt) return await this.#end(leftover, 'ABANDONED', `${attempt.message} ${REMAINS[leftover.kind](leftover.issuer)}`);
      const wait = Math.max(Math.min(SHORTEST_BACKOFF_MS * 2 ** Math.min(leftover.attempts - 1, 12), LONGEST_BACKOFF_MS), Math.min(attempt.retryAfterMs ?? 0, LONGEST_BACKOFF_MS));
      const nextAttemptAt = new Date(Math.min(at.getTime() + wait * (1 + random() / 10), leftover.giveUpAt.getTime()));
      await store.oauthLeftovers.update(leftover.id, { message: `${attempt.message} It goes on being tried.`, nextAttemptAt });
    } catch (error) {
      // A fault of ours, or the end of this process: its lease runs out, and it is tried again.
      if (this.#ended.signal.aborted) return;
      logger.error({ err: error, leftoverId: leftover.id }, 'a revocation could not be tried');
      await this.#giveUpFaulty(leftover).catch((cause: unknown) => logger.error({ err: cause, leftoverId: leftover.id }, 'a revocation could not be given up'));
    }
  }

  /** One that can't even be tried (its key is lost, say) ends at its deadline too. */
  async #giveUpFaulty(leftover: OAuthLeftover): Promise<void> {
    if ((await this.#options.store.now()) < leftover.giveUpAt) return;
    await this.#end(leftover, 'ABANDONED', `It couldn't be tried, because of a fault in Fairlead. ${REMAINS[leftover.kind](leftover.issuer)}`);
  }

  /** Ends it, and leaves nothing sealed. */
  async #end(leftover: OAuthLeftover, outcome: Exclude<OAuthLeftover['outcome'], 'PENDING'>, message: string): Promise<void> {
    await this.#options.store.transaction(async (repositories) => {
      await repositories.oauthLeftovers.update(leftover.id, { outcome, message, sealed: null, nextAttemptAt: null });
      await auditEnd(repositories, leftover, outcome);
    });
    if (outcome === 'ABANDONED') this.#options.logger.warn({ leftoverId: leftover.id, kind: leftover.kind, subject: leftover.subjectName }, 'something of a deletion remains at its provider, and was given up');
  }

  #tracked(work: Promise<void>): Promise<void> {
    const quiet = work.catch((error: unknown) => this.#options.logger.warn({ err: error }, 'revocations could not be tried; they go on being tried'));
    const tracked: Promise<void> = quiet.finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
    return tracked;
  }
}

const REMAINS: Record<OAuthLeftover['kind'], (issuer: string) => string> = {
  TOKENS: (issuer) => `It was given up: the login may go on working until it expires. End it in the settings of ${quotePeer(issuer)}.`,
  CLIENT: (issuer) => `It was given up: the client may still be registered at ${quotePeer(issuer)}.`,
};

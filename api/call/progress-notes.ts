import { plainPeer } from '#core/errors.js';
import type { Logger } from '#core/log.js';
import type { Progress } from '#core/mcp/session.js';
import type { CallProgress } from '#core/store/entities/tool-call.entity.js';
import type { ToolCalls } from '#core/store/tool-calls.js';
import type { AcceptedCall } from './call-runner.js';
import { withoutArguments } from './recorded-fault.js';

/** What {@link ProgressNotes} is built of. */
export interface ProgressNotesOptions {
  calls: Pick<ToolCalls, 'noteProgress'>;
  /** Of one call, notes are at least this far apart, in milliseconds; what is said in between is only kept if nothing follows. */
  gapMs: number;
  now: () => Date;
  logger: Logger;
}

/** The notes of one call. */
export interface ProgressNote {
  said(progress: Progress): void;
  /** The call has ended: nothing is written any more. Resolves when a write on its way is done. */
  stop(): Promise<void>;
}

const MAX_MESSAGE = 200;

/** Keeps how far running calls say they are, however often servers say so: the last word counts, and a call writes one at a time. */
export class ProgressNotes {
  constructor(private readonly options: ProgressNotesOptions) {}

  of({ record, route, arguments: args }: AcceptedCall): ProgressNote {
    const { calls, gapMs, now, logger } = this.options;
    let latest: CallProgress | null = null;
    let writing: Promise<void> | null = null;
    let timer: NodeJS.Timeout | null = null;
    let ended = false;
    const write = (): void => {
      if (latest === null || writing !== null || timer !== null || ended) return;
      const note = latest;
      latest = null;
      timer = setTimeout(() => {
        timer = null;
        write();
      }, gapMs);
      writing = calls.noteProgress(record.id, note)
        .catch((error: unknown) => logger.warn({ err: error, toolCallId: record.id }, 'the progress of a call could not be written'))
        .finally(() => {
          writing = null;
          write();
        });
    };
    return {
      said: ({ progress, total, message }) => {
        // The server's words: without the credential, without what it was given, and as one short line.
        const words = message === null ? null : withoutArguments(plainPeer(route.scrubber.text(message), MAX_MESSAGE), args);
        latest = { progress, total, message: words, updatedAt: now().toISOString() };
        write();
      },
      stop: async () => {
        ended = true;
        if (timer !== null) clearTimeout(timer);
        await writing;
      },
    };
  }
}

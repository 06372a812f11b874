import type { EgressResponse } from '../egress/response.js';
import { PeerFault } from '../errors.js';
import { isEnvelope, progressOf, type Envelope } from './envelope.js';
import { readEvents, type StreamEvent } from './event-stream.js';
import { transportFault } from './faults.js';
import type { Era, Progress } from './session.js';

/** What an {@link AnswerStream} needs of its channel. */
export interface AnswerStreamOptions {
  era: Era;
  /** The id, and the progress token, of the request that is answered. */
  id: number;
  /** @throws {PeerFault} for what isn't JSON */
  parse: (json: string) => unknown;
  onProgress?: (progress: Progress) => void;
  /** https://modelcontextprotocol.io/specification/2025-11-25/server/tools#list-changed-notification */
  onToolsChanged?: () => void;
  /** Sends an answer to the server without waiting for it. */
  reply: (message: Envelope) => void;
  /** Goes on with a stream that ended after an event with an id. */
  resume: (lastEventId: string, retryMs: number) => Promise<EgressResponse>;
  /** Waits elsewhere for what goes on after the answer. */
  track: (work: Promise<void>) => void;
}

/** Requests of the server that are answered during one request of ours; more are ignored. */
const MAX_SERVER_REQUESTS = 64;
const MAX_RESUMPTIONS = 16;
/** https://html.spec.whatwg.org/multipage/server-sent-events.html#concept-event-stream-reconnection-time leaves it to us. */
const DEFAULT_RETRY_MS = 1_000;
const LINGER_MS = 250;
const METHOD_NOT_FOUND = { code: -32601, message: 'This client offers no such method.' };

/**
 * Reads an event stream until the answer to one request is there. What the server sends in between is served: pings are answered, other requests
 * are refused, so that the server doesn't wait for what we don't offer; notifications are passed over but for progress and the news of a changed list of tools.
 */
export class AnswerStream {
  #lastEventId: string | null = null;
  #retryMs = DEFAULT_RETRY_MS;
  #served = 0;

  constructor(private readonly options: AnswerStreamOptions) {}

  /** @throws {PeerFault} `UNREACHABLE` where the stream ends without the answer; the caps and deadlines of egress. */
  async read(response: EgressResponse): Promise<Envelope> {
    for (let stream = response, resumptions = 0; ; resumptions++) {
      const answer = await this.#readOne(stream);
      if (answer !== null) return answer;
      const lastEventId = this.#lastEventId;
      if (this.options.era === 'MODERN' || lastEventId === null || lastEventId === '' || resumptions >= MAX_RESUMPTIONS) {
        throw new PeerFault('UNREACHABLE', 'The server closed the connection before its answer was complete.');
      }
      stream = await this.options.resume(lastEventId, this.#retryMs);
    }
  }

  /** Null where the stream ended or broke, and another may go on with it. */
  async #readOne(stream: EgressResponse): Promise<Envelope | null> {
    const events = readEvents(stream.body);
    try {
      for (let next = await events.next(); !next.done; next = await events.next()) {
        const answer = this.#take(next.value);
        if (answer === null) continue;
        this.#linger(events, stream);
        return answer;
      }
    } catch (error) {
      await stream.discard();
      const fault = transportFault(error, true);
      if (!(fault instanceof PeerFault && fault.code === 'UNREACHABLE')) throw fault;
    }
    return null;
  }

  /** The answer, if this event is it. */
  #take(event: StreamEvent): Envelope | null {
    const { id, parse, era, onProgress, onToolsChanged } = this.options;
    this.#lastEventId = event.id ?? this.#lastEventId;
    this.#retryMs = event.retryMs ?? this.#retryMs;
    if (event.data === '' || event.event !== 'message') return null;
    const message = parse(event.data);
    if (!isEnvelope(message)) return null;
    if (message['method'] === undefined) return message['id'] === id ? message : null;
    if (message['method'] === 'notifications/progress') {
      const progress = onProgress === undefined ? null : progressOf(message, id);
      if (progress !== null) onProgress?.(progress);
    } else if (message['method'] === 'notifications/tools/list_changed') {
      onToolsChanged?.();
    } else if (message['id'] !== undefined && era === 'LEGACY' && this.#served++ < MAX_SERVER_REQUESTS) {
      this.options.reply({ jsonrpc: '2.0', id: message['id'], ...(message['method'] === 'ping' ? { result: {} } : { error: METHOD_NOT_FOUND }) });
    }
    return null;
  }

  /** Servers end the stream right after the answer; reading that end keeps the connection for the next request. */
  #linger(events: AsyncGenerator<StreamEvent>, stream: EgressResponse): void {
    const timer = setTimeout(() => void stream.discard(), LINGER_MS).unref();
    const rest = async (): Promise<void> => {
      while (!(await events.next()).done);
    };
    this.options.track(rest().catch(() => undefined).finally(() => clearTimeout(timer)));
  }
}

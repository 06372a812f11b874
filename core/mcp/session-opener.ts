import type { Egress } from '../egress/egress.js';
import { PeerFault, plainPeer } from '../errors.js';
import { Channel, type ClientInfo } from './channel.js';
import { EraCache } from './era-cache.js';
import { SessionForgotten } from './faults.js';
import { discover, initialize } from './handshake.js';
import { LegacySession } from './legacy-session.js';
import { ModernSession } from './modern-session.js';
import { redactor } from './redaction.js';
import { SdkFetch } from './sdk-fetch.js';
import { CallCancelled, type Era, type McpSession } from './session.js';
import { callTool } from './tool-call.js';
import type { ToolCaller } from './tool-caller.js';

const MAX_SERVER_NAME = 200;

/** What {@link SessionOpener} is built of. */
export interface SessionOpenerOptions {
  egress: Pick<Egress, 'request'>;
  clientInfo: ClientInfo;
  /** Parses answers without loss: integers beyond 2^53 must survive it. */
  parse: (text: string) => unknown;
  /** Monotonic milliseconds; `performance.now` by default. */
  clock?: () => number;
  /** For tests only: another way to call tools than the hot path. */
  toolCaller?: ToolCaller;
}

/** Where to open a session, and with which credential. */
export interface SessionTarget {
  url: string;
  /** The credential's headers, complete (`Authorization: Bearer …`). Never logged, never part of an error. */
  headers?: Readonly<Record<string, string>>;
  /** What of the headers must not come back, where that isn't all of a value: a token without what it is sent behind. */
  secrets?: readonly string[];
  /** A deadline over everything. */
  timeoutMs: number;
  signal?: AbortSignal;
  /** Only this era is tried; by default it is found out, and remembered per endpoint. */
  era?: Era;
}

/**
 * Opens sessions, and finds out which era a server speaks: a modern request first, `initialize` where that isn't understood.
 * https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning
 */
export class SessionOpener {
  readonly #eras = new EraCache();

  constructor(private readonly options: SessionOpenerOptions) {}

  /**
   * @throws {PeerFault} `UNAUTHORIZED` or `INSUFFICIENT_SCOPE` with the challenge, `UNREACHABLE`, `TIMEOUT`, and `PROTOCOL_ERROR`
   *   for what isn't MCP (`NotMcpAnswer` where the answer shows it).
   */
  async open(target: SessionTarget): Promise<McpSession> {
    if (target.era !== undefined) return this.#openAs(target.era, target);
    const { url, timeoutMs } = target;
    const left = this.#countdown(timeoutMs);
    const known = this.#eras.get(url);
    if (known !== null) {
      try {
        return await this.#openAs(known, target);
      } catch (error) {
        if (!decidesAgainstEra(error)) throw error;
        this.#eras.forget(url);
      }
    }
    const session = await this.#detect({ ...target, timeoutMs: left() });
    this.#eras.set(url, session.facts.era);
    return session;
  }

  async #detect(target: SessionTarget): Promise<McpSession> {
    const left = this.#countdown(target.timeoutMs);
    try {
      // Half of the time, since some legacy servers never answer what they don't know.
      return await this.#openAs('MODERN', { ...target, timeoutMs: target.timeoutMs / 2 });
    } catch (error) {
      if (!decidesAgainstEra(error)) throw error;
    }
    return this.#openAs('LEGACY', { ...target, timeoutMs: left() });
  }

  async #openAs(era: Era, { url, headers = {}, secrets = [], timeoutMs, signal }: SessionTarget): Promise<McpSession> {
    const { egress, clientInfo, parse, clock = () => performance.now(), toolCaller = callTool } = this.options;
    if (timeoutMs <= 0) throw new PeerFault('TIMEOUT', 'The server did not answer in time.', { sent: 'NOTHING' });
    const redact = redactor(headers, secrets);
    const http = new SdkFetch({ egress, url, credential: headers, timeoutMs, signal, redact });
    let shake;
    try {
      shake = await (era === 'MODERN' ? discover : initialize)(http, url, clientInfo, timeoutMs);
    } catch (error) {
      throw http.fault(error);
    }
    const channel = new Channel({
      egress, url: http.url, credential: headers, era, protocolVersion: shake.protocolVersion, sessionId: shake.sessionId, clientInfo, parse, redact, clock,
    });
    // Redacted before it is cut: half a credential is no longer recognised.
    const server = shake.server === null ? null : { name: plainPeer(redact(shake.server.name), MAX_SERVER_NAME), version: plainPeer(redact(shake.server.version), MAX_SERVER_NAME) };
    const facts = { era, protocolVersion: shake.protocolVersion, server };
    return era === 'MODERN' ? new ModernSession(channel, facts, toolCaller) : new LegacySession(channel, facts, toolCaller);
  }

  #countdown(ms: number): () => number {
    const clock = this.options.clock ?? (() => performance.now());
    const end = clock() + ms;
    return () => end - clock();
  }
}

/** A refused credential, a refused address, a server that isn't there and one that has had enough requests for now say nothing about its era. */
function decidesAgainstEra(error: unknown): boolean {
  if (error instanceof CallCancelled || !(error instanceof PeerFault) || error instanceof SessionForgotten) return false;
  if (error.status === 429 || error.retryAfterMs !== null) return false;
  return error.sent !== 'NOTHING' && error.code !== 'UNAUTHORIZED' && error.code !== 'INSUFFICIENT_SCOPE';
}

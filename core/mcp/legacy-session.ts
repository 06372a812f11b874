import type { Channel } from './channel.js';
import { RpcFault, SessionForgotten } from './faults.js';
import { listTools } from './listing.js';
import type { ListLimits, McpSession, RawToolResult, ServerFacts, ToolCall, ToolListing } from './session.js';
import type { ToolCaller } from './tool-caller.js';

const PING_MAX_BYTES = 64 * 1024;
const CONFIRM_TIMEOUT_MS = 5_000;
/** What the reference servers answer, with HTTP 400, to a session id that they don't know. */
const SERVER_ERROR = -32000;

/** A session of the `initialize` era (2025-11-25 and older). */
export class LegacySession implements McpSession {
  constructor(private readonly channel: Channel, readonly facts: ServerFacts, private readonly caller: ToolCaller) {}

  get stateful(): boolean {
    return this.channel.options.sessionId !== null;
  }

  listTools(limits: ListLimits): Promise<ToolListing> {
    return this.#inSession(() => listTools(this.channel, limits, () => null));
  }

  callTool(call: ToolCall): Promise<RawToolResult> {
    return this.#inSession(() => this.caller(this.channel, call));
  }

  ping(timeoutMs: number): Promise<void> {
    return this.#inSession(() => this.#ping(timeoutMs));
  }

  close(): Promise<void> {
    return this.channel.end();
  }

  async #ping(timeoutMs: number): Promise<void> {
    try {
      await this.channel.request({ method: 'ping', timeoutMs, maxBytes: PING_MAX_BYTES });
    } catch (error) {
      if (!(error instanceof RpcFault) || error.status !== null) throw error;
    }
  }

  /**
   * The specification wants a 404 for an unknown session id; servers made after the reference servers say 400 with a code of no meaning.
   * Whether that was about the session shows in a ping, which does nothing: refused alike, it is.
   */
  async #inSession<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (this.channel.options.sessionId === null || !refusedAsUnknown(error)) throw error;
      const confirmed = await this.#ping(CONFIRM_TIMEOUT_MS).then(() => false, (second) => refusedAsUnknown(second) || second instanceof SessionForgotten);
      throw confirmed ? new SessionForgotten(400) : error;
    }
  }
}

function refusedAsUnknown(error: unknown): boolean {
  return error instanceof RpcFault && error.status === 400 && error.rpcCode === SERVER_ERROR;
}

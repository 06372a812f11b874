import { PeerFault } from '#core/errors.js';
import { CallCancelled, type Progress, type RawToolResult } from '#core/mcp/session.js';
import type { SessionPool } from '#core/mcp/session-pool.js';
import { ProviderUnavailable } from '#core/upkeep/oauth-tokens-wait.js';
import type { Logins } from './logins.js';
import { answered, cancelled, invalidResult, outcomeOf, type Outcome } from './outcome.js';
import type { Route } from './route.js';
import type { SchemaChecks } from './schema-checks.js';
import type { ToolDefinition } from './tool-catalog.js';

/** One call on its way to the server. */
export interface Dispatch {
  route: Route;
  tool: ToolDefinition;
  name: string;
  arguments: Record<string, unknown>;
  /** What is left of the deadline, in milliseconds. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Called with what the server says of how far it is; absent where nobody wants to know. */
  onProgress: ((progress: Progress) => void) | undefined;
}

/** An outcome, with the exception that it was made of where there was one. */
export interface Dispatched {
  outcome: Outcome;
  error: unknown;
  /** The one that it went last: a login may have been renewed on the way. */
  route: Route;
  /** The server said on the way that its list of tools is another one now. */
  toolsChanged: boolean;
}

/** Of tokens that expire on their way, so many are tried: with lifetimes of seconds, and a machine or network that is slower. */
const MAX_SENDS = 5;

/** Sends calls through warm sessions, and says how they ended. */
export class Dispatcher {
  constructor(
    private readonly sessions: SessionPool,
    private readonly checks: SchemaChecks,
    private readonly logins: Pick<Logins, 'renewed'>,
    /** Monotonic milliseconds. */
    private readonly clock: () => number,
  ) {}

  /** Never throws for what the server does. @throws faults of our own */
  async send(call: Dispatch): Promise<Dispatched> {
    const { signal } = call;
    let { route } = call;
    if (signal.aborted) return { outcome: cancelled('NOTHING'), error: new CallCancelled('NOTHING'), route, toolsChanged: false };
    let toolsChanged = false;
    const onToolsChanged = (): void => { toolsChanged = true; };
    const deadline = this.clock() + call.timeoutMs;
    let result: RawToolResult | null = null;
    try {
      if (route.login !== null && route.login.unavailable !== null) throw route.login.unavailable;
      for (let sends = 1, refused = false; result === null; sends += 1) {
        const left = deadline - this.clock();
        try {
          result = await this.#callTool(call, route, Math.max(1, left), onToolsChanged);
        } catch (error) {
          // HTTP 401 proves that nothing was done: one refresh, and one more try, within the same deadline.
          const late = this.#expiredOnItsWay(route);
          if (route.login === null || !refusesLogin(error) || (refused && !late)) throw error;
          if (sends === MAX_SENDS) throw new ProviderUnavailable('The login expires sooner than calls with it arrive. Try again.', null, error);
          refused ||= !late;
          route = await this.logins.renewed(route, { timeoutMs: deadline - this.clock(), signal });
          if (signal.aborted) throw new CallCancelled('NOTHING');
        }
      }
    } catch (error) {
      const outcome = outcomeOf(error, route.login?.repair ?? null);
      if (outcome === null) throw error;
      return { outcome, error, route, toolsChanged };
    }
    return { outcome: await this.#judge(route, call.tool, result), error: null, route, toolsChanged };
  }

  /** A refusal of a token that has expired meanwhile says nothing of the login. */
  #expiredOnItsWay({ login }: Route): boolean {
    return login !== null && login.usableUntil !== null && this.clock() >= login.usableUntil;
  }

  #callTool({ tool, name, arguments: args, signal, onProgress }: Dispatch, route: Route, timeoutMs: number, onToolsChanged: () => void): Promise<RawToolResult> {
    const { sessionKey: key, headers, secrets, spec } = route;
    return this.sessions.use({ key, url: spec.serverUrl, headers, secrets, timeoutMs, signal }, (session, left) =>
      session.callTool({ name, arguments: args, traits: tool.traits, timeoutMs: left, maxBytes: spec.calls.maxResultBytes, signal, onToolsChanged, onProgress }));
  }

  /** A tool's own failure needn't have the shape of its results. */
  async #judge(route: Route, tool: ToolDefinition, { content, structuredContent, isError }: RawToolResult): Promise<Outcome> {
    const scrubbed = route.scrubber.value({ content, ...(structuredContent === undefined ? {} : { structuredContent }) });
    const fault = isError ? null : await this.checks.result(tool, structuredContent);
    return fault === null ? answered(isError, scrubbed) : invalidResult(fault);
  }
}

/** HTTP 401 before any result. */
function refusesLogin(error: unknown): boolean {
  return error instanceof PeerFault && error.status === 401 && error.sent !== 'MAYBE';
}

import { Egress } from '#core/egress/egress.js';
import { parseLossless } from '#core/json/lossless.js';
import { SessionOpener } from '#core/mcp/session-opener.js';
import type { ToolCaller } from '#core/mcp/tool-caller.js';

/** What the tests of sessions begin with: a way out to loopback, and an opener on it. */
export interface TestClient {
  egress: Egress;
  opener: SessionOpener;
}

/** @param toolCaller makes another way to call tools than the hot path */
export function testClient(toolCaller?: (egress: Egress) => ToolCaller): TestClient {
  const egress = new Egress({ policy: { allow: [], allowLoopback: true, denied: [] } });
  const clientInfo = { name: 'fairlead-test', version: '0.0.0' };
  return { egress, opener: new SessionOpener({ egress, clientInfo, parse: parseLossless, toolCaller: toolCaller?.(egress) }) };
}

/** Bounds that no test but one about bounds should meet. */
export const LIST_LIMITS = { timeoutMs: 10_000, maxBytes: 1024 * 1024, maxPages: 50, maxTools: 500 };

/** Bounds of a call, like {@link LIST_LIMITS}. */
export const CALL_LIMITS = { timeoutMs: 10_000, maxBytes: 1024 * 1024 };

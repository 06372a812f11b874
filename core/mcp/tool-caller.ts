import type { Channel } from './channel.js';
import type { RawToolResult, ToolCall } from './session.js';

/**
 * How a session calls a tool: `callTool` of tool-call.ts, unless a test puts an SDK's own client in its place
 * (test/support/sdk-caller.ts), so that the same specification runs over both.
 */
export type ToolCaller = (channel: Channel, call: ToolCall) => Promise<RawToolResult>;

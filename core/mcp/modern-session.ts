import type { Channel } from './channel.js';
import { RpcFault } from './faults.js';
import { listTools } from './listing.js';
import { scanHeaderParams } from './param-headers.js';
import type { ListLimits, McpSession, RawTool, RawToolResult, ServerFacts, ToolCall, ToolListing } from './session.js';
import type { ToolCaller } from './tool-caller.js';

const DISCOVER_MAX_BYTES = 1024 * 1024;

/** A "session" of the stateless era (2026-07-28): the server keeps nothing between requests, so there is nothing to forget or to end. */
export class ModernSession implements McpSession {
  readonly stateful = false;

  constructor(private readonly channel: Channel, readonly facts: ServerFacts, private readonly caller: ToolCaller) {}

  /** A tool whose header annotations are invalid must be left out. */
  listTools(limits: ListLimits): Promise<ToolListing> {
    return listTools(this.channel, limits, invalidAnnotation);
  }

  callTool(call: ToolCall): Promise<RawToolResult> {
    return this.caller(this.channel, call);
  }

  async ping(timeoutMs: number): Promise<void> {
    try {
      await this.channel.request({ method: 'server/discover', timeoutMs, maxBytes: DISCOVER_MAX_BYTES });
    } catch (error) {
      if (!(error instanceof RpcFault) || error.status !== null) throw error;
    }
  }

  close(): Promise<void> {
    return this.channel.settle();
  }
}

function invalidAnnotation(tool: RawTool): string | null {
  const scan = scanHeaderParams(tool.inputSchema);
  return 'fault' in scan ? scan.fault : null;
}

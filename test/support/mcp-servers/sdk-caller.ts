import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Egress } from '#core/egress/egress.js';
import { PeerFault } from '#core/errors.js';
import type { Channel } from '#core/mcp/channel.js';
import { NO_VALIDATION } from '#core/mcp/handshake.js';
import { SdkFetch } from '#core/mcp/sdk-fetch.js';
import { CallCancelled, type RawToolResult, type ToolCall } from '#core/mcp/session.js';
import { toolResult } from '#core/mcp/tool-call.js';
import type { ToolCaller } from '#core/mcp/tool-caller.js';

/** Calls tools with the SDKs' own clients on the session that is there, so that a specification can run over the hot path and over them. */
export function sdkCaller(egress: Egress): ToolCaller {
  return async (channel: Channel, call: ToolCall): Promise<RawToolResult> => {
    if (call.traits?.taskRequired) throw new PeerFault('TASK_REQUIRED', 'task', { sent: 'NOTHING' });
    const { url, credential, redact, era } = channel.options;
    const http = new SdkFetch({ egress, url, credential, timeoutMs: call.timeoutMs, signal: call.signal, redact });
    try {
      return toolResult(await (era === 'LEGACY' ? callLegacy : callModern)(channel, http, call));
    } catch (error) {
      if (call.signal?.aborted) throw new CallCancelled('MAYBE');
      throw error instanceof PeerFault ? error : http.fault(error);
    }
  };
}

async function callLegacy(channel: Channel, http: SdkFetch, call: ToolCall): Promise<Record<string, unknown>> {
  const { url, sessionId, protocolVersion, clientInfo } = channel.options;
  // An empty session id keeps the client from initializing again, and isn't sent.
  const transport = new LegacyTransport(new URL(url), { fetch: http.fetch, sessionId: sessionId ?? '' });
  const client = new LegacyClient(clientInfo, { jsonSchemaValidator: NO_VALIDATION });
  await client.connect(transport);
  transport.setProtocolVersion(protocolVersion);
  try {
    return await client.callTool({ name: call.name, arguments: call.arguments }, undefined, options(call));
  } finally {
    await client.close();
  }
}

async function callModern(channel: Channel, http: SdkFetch, call: ToolCall): Promise<Record<string, unknown>> {
  const { url, protocolVersion, clientInfo } = channel.options;
  const client = new ModernClient(clientInfo, { jsonSchemaValidator: NO_VALIDATION, inputRequired: { autoFulfill: false } });
  const discover = { supportedVersions: [protocolVersion], capabilities: { tools: {} }, resultType: 'complete' as const, ttlMs: 0, cacheScope: 'private' as const };
  await client.connect(new ModernTransport(new URL(url), { fetch: http.fetch }), { prior: { kind: 'modern', discover } });
  try {
    if (call.traits !== undefined && call.traits.headerParams.length > 0) await client.listTools();
    return await client.callTool({ name: call.name, arguments: call.arguments }, options(call));
  } finally {
    await client.close();
  }
}

function options({ timeoutMs, signal, onProgress }: ToolCall) {
  return {
    timeout: timeoutMs, signal,
    ...(onProgress === undefined ? {} : { onprogress: (p: { progress: number; total?: number; message?: string }) => onProgress({ progress: p.progress, total: p.total ?? null, message: p.message ?? null }) }),
  };
}

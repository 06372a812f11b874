import { PeerFault } from '../errors.js';
import type { Channel } from './channel.js';
import { paramHeaders } from './param-headers.js';
import type { RawToolResult, ToolCall } from './session.js';

/**
 * `tools/call` on our own hot path: one POST, one parse, no schema objects.
 * https://modelcontextprotocol.io/specification/2026-07-28/server/tools#calling-tools
 * @throws {PeerFault} see faults.ts; `INPUT_REQUIRED` and `TASK_REQUIRED` for what only an interactive client could finish
 */
export async function callTool(channel: Channel, call: ToolCall): Promise<RawToolResult> {
  if (call.traits?.taskRequired) throw new PeerFault('TASK_REQUIRED', 'The tool can only be run as a task, which isn\'t supported.', { sent: 'NOTHING' });
  const result = await channel.request({
    method: 'tools/call',
    params: { name: call.name, arguments: call.arguments },
    name: call.name,
    headers: call.traits === undefined || call.traits.headerParams.length === 0 ? undefined : paramHeaders(call.traits.headerParams, call.arguments),
    timeoutMs: call.timeoutMs, maxBytes: call.maxBytes, signal: call.signal, onProgress: call.onProgress, onToolsChanged: call.onToolsChanged,
  });
  return toolResult(result);
}

/** More blocks than this are refused: each costs whoever shows them some microseconds, and half a million fit into a megabyte. */
const MAX_BLOCKS = 5_000;

/** Checks the frame of a result and leaves its values alone. */
export function toolResult(result: Record<string, unknown>): RawToolResult {
  const { resultType, content, structuredContent, isError } = result;
  if (resultType === 'input_required') throw new PeerFault('INPUT_REQUIRED', 'The tool asks a person for input, which a call can\'t give.');
  if (resultType === 'task' || (content === undefined && isTask(result['task']))) {
    throw new PeerFault('TASK_REQUIRED', 'The tool runs as a task, which isn\'t supported.');
  }
  if (resultType !== undefined && resultType !== 'complete') throw new PeerFault('PROTOCOL_ERROR', 'The server answered with a kind of result that isn\'t known.');
  if (!Array.isArray(content) && !(content === undefined && structuredContent !== undefined)) {
    throw new PeerFault('PROTOCOL_ERROR', 'The server answered tools/call without content.');
  }
  if (Array.isArray(content) && content.length > MAX_BLOCKS) {
    throw new PeerFault('RESULT_TOO_LARGE', `The result has more than ${MAX_BLOCKS} content blocks. Ask for less.`);
  }
  return { content: (content as unknown[] | undefined) ?? [], ...(structuredContent === undefined ? {} : { structuredContent }), isError: isError === true };
}

function isTask(value: unknown): boolean {
  return value !== null && typeof value === 'object' && 'taskId' in value;
}

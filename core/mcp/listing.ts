import { oneLine } from '../connection/text.js';
import { PeerFault } from '../errors.js';
import type { Channel } from './channel.js';
import { RpcFault } from './faults.js';
import type { ListLimits, RawTool, ToolListing } from './session.js';

/** A definition that is nested deeper is left out: everything that walks over schemas may rely on it. */
export const MAX_DEFINITION_DEPTH = 64;
/** The longest name of a tool that is taken. */
export const MAX_TOOL_NAME = 128;
const METHOD_NOT_FOUND = -32601;

/**
 * Reads all pages of `tools/list`. A definition that can't be used is left out and named; it never costs the others.
 * A server without tools gives an empty listing.
 * @param fault an era's further reason for leaving a definition out, or null
 * @throws {PeerFault} `RESULT_TOO_LARGE` beyond the limits, `PROTOCOL_ERROR` where a cursor comes back again.
 */
export async function listTools(channel: Channel, limits: ListLimits, fault: (tool: RawTool) => string | null): Promise<ToolListing> {
  const { clock } = channel.options;
  const deadline = clock() + limits.timeoutMs;
  const listing: ToolListing = { tools: [], dropped: [] };
  const names = new Set<string>();
  const cursors = new Set<string>();
  let bytes = limits.maxBytes;
  let cursor: string | null = null;
  do {
    const left = deadline - clock();
    if (left <= 0) throw new PeerFault('TIMEOUT', 'The server did not list its tools in time.');
    const page = await listPage(channel, cursor, { ...limits, timeoutMs: left, maxBytes: bytes });
    if (page === null) return listing;
    bytes -= Buffer.byteLength(JSON.stringify(page));
    for (const item of page.tools) {
      const reason = unusable(item) ?? (names.has((item as RawTool).name) ? 'the name is used twice' : fault(item as RawTool));
      if (reason !== null) {
        listing.dropped.push({ name: nameOf(item), reason });
        continue;
      }
      names.add((item as RawTool).name);
      listing.tools.push(item as RawTool);
    }
    if (listing.tools.length + listing.dropped.length > limits.maxTools || bytes <= 0) {
      throw new PeerFault('RESULT_TOO_LARGE', `The server lists more than ${limits.maxTools} tools or ${limits.maxBytes} bytes of definitions.`);
    }
    cursor = page.nextCursor;
    if (cursor === null) return listing;
    if (cursors.has(cursor)) throw new PeerFault('PROTOCOL_ERROR', 'The server repeats a page of its tools for ever.');
    cursors.add(cursor);
  } while (cursors.size < limits.maxPages);
  throw new PeerFault('RESULT_TOO_LARGE', `The server lists its tools on more than ${limits.maxPages} pages.`);
}

interface Page {
  tools: unknown[];
  nextCursor: string | null;
}

/** One page; null where the server has no tools at all. An empty cursor is a cursor. */
async function listPage(channel: Channel, cursor: string | null, bounds: ListLimits): Promise<Page | null> {
  const params = cursor === null ? undefined : { cursor };
  let result: Record<string, unknown>;
  try {
    result = await channel.request({ method: 'tools/list', params, timeoutMs: bounds.timeoutMs, maxBytes: bounds.maxBytes, signal: bounds.signal, onToolsChanged: bounds.onToolsChanged });
  } catch (error) {
    if (error instanceof RpcFault && error.rpcCode === METHOD_NOT_FOUND) return null;
    throw error;
  }
  const { tools, nextCursor } = result;
  if (!Array.isArray(tools)) throw new PeerFault('PROTOCOL_ERROR', 'The server answered tools/list without a list of tools.');
  return { tools, nextCursor: typeof nextCursor === 'string' ? nextCursor : null };
}

/** Why something isn't a usable definition, or null. */
function unusable(item: unknown): string | null {
  if (!isObject(item)) return 'it is not an object';
  const { name, inputSchema } = item;
  if (typeof name !== 'string' || name === '' || name.length > MAX_TOOL_NAME || !oneLine(name)) {
    return `its name is not a text of 1 to ${MAX_TOOL_NAME} characters`;
  }
  if (!isObject(inputSchema)) return 'it has no input schema';
  return deeperThan(item, MAX_DEFINITION_DEPTH) ? `it is nested deeper than ${MAX_DEFINITION_DEPTH} levels` : null;
}

/** Without recursion, since the depth is the server's choice. */
function deeperThan(root: object, limit: number): boolean {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = level.flatMap((node) => (node !== null && typeof node === 'object' ? Object.values(node) : []));
  }
  return false;
}

function nameOf(item: unknown): string | null {
  return isObject(item) && typeof item['name'] === 'string' ? item['name'].slice(0, MAX_TOOL_NAME) : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

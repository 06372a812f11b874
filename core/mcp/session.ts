/** The two families of the protocol: `initialize` and sessions (up to 2025-11-25), or stateless requests (from 2026-07-28). */
export type Era = 'LEGACY' | 'MODERN';

/** What a server said of itself when the session was opened. Names and versions are the server's word. */
export interface ServerFacts {
  era: Era;
  protocolVersion: string;
  server: { name: string; version: string } | null;
}

/** A tool definition as the server sent it: only `name` and `inputSchema` were looked at, all else is unchecked. */
export interface RawTool {
  name: string;
  inputSchema: Record<string, unknown>;
  [key: string]: unknown;
}

/** What `tools/list` gave: the usable definitions, and why the others were left out. */
export interface ToolListing {
  tools: RawTool[];
  /** `name` is the server's text (at most 128 characters) or null where there was none. */
  dropped: { name: string | null; reason: string }[];
}

/** Bounds of one listing. `timeoutMs` is for all pages together, `maxBytes` too. */
export interface ListLimits {
  timeoutMs: number;
  maxBytes: number;
  maxPages: number;
  maxTools: number;
  signal?: AbortSignal;
  /** The server said meanwhile that its list has changed: what is returned may be the one before. */
  onToolsChanged?: () => void;
}

/** One parameter that a modern client repeats as an HTTP header (`x-mcp-header`). */
export interface HeaderParam {
  /** Keys from the arguments object down to the value. */
  path: string[];
  /** The header's name after `Mcp-Param-`. */
  header: string;
}

/** What a call needs to know of the tool's definition; made once per definition by `callTraits`. */
export interface CallTraits {
  taskRequired: boolean;
  headerParams: HeaderParam[];
}

/** A progress notification of a running call; numbers and text are the server's word. */
export interface Progress {
  progress: number;
  total: number | null;
  message: string | null;
}

/** One `tools/call`. `timeoutMs` is a deadline over everything; `maxBytes` bounds the answer as it comes over the wire. */
export interface ToolCall {
  name: string;
  arguments: Record<string, unknown>;
  traits?: CallTraits;
  timeoutMs: number;
  maxBytes: number;
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** The server said meanwhile, in the stream of its answer, that its list of tools has changed; a hint, and no more. */
  onToolsChanged?: () => void;
}

/** A tool's answer with its values unchanged; the blocks of `content` are unchecked. */
export interface RawToolResult {
  content: unknown[];
  structuredContent?: unknown;
  isError: boolean;
}

/**
 * One opened session to one MCP server with one credential.
 * Every method throws `PeerFault` for what the server did (its `sent` says whether the server may have acted)
 * and {@link CallCancelled} when the caller's signal ended it.
 */
export interface McpSession {
  readonly facts: ServerFacts;
  /** Whether the server keeps a session of its own for it, until {@link close}. */
  readonly stateful: boolean;
  /** All pages of `tools/list`, within the limits. */
  listTools(limits: ListLimits): Promise<ToolListing>;
  callTool(call: ToolCall): Promise<RawToolResult>;
  /** Asks for a sign of life; resolves when the server answered in the protocol, whatever it said. */
  ping(timeoutMs: number): Promise<void>;
  /** Ends a legacy session at the server (best effort, bounded) and waits for what is still on its way. Never throws. */
  close(): Promise<void>;
}

/** The caller's signal ended the request. `NOTHING` means that no byte had reached the server. */
export class CallCancelled extends Error {
  override readonly name = 'CallCancelled';
  constructor(readonly sent: 'NOTHING' | 'MAYBE') {
    super(sent === 'NOTHING' ? 'cancelled before anything was sent' : 'cancelled while the server was at work');
  }
}

import type { Egress } from '../egress/egress.js';
import { EgressError } from '../egress/errors.js';
import { PeerFault } from '../errors.js';
import { NotMcpAnswer } from './faults.js';
import { readEvents } from './event-stream.js';
import type { KeptSessions } from './kept-sessions.js';
import type { Era, ListLimits, McpSession, RawTool } from './session.js';
import type { SessionOpener } from './session-opener.js';

/** What a server turned out to be. */
export type ProbeVerdict = 'OK' | 'AUTHENTICATION_REQUIRED' | 'UNREACHABLE' | 'NOT_MCP' | 'UNSUPPORTED_TRANSPORT' | 'REFUSED_BY_POLICY';

/** What was tried, in order. `durationMs` is null where nothing was measured; a refused address is never timed. */
export interface ProbeStep {
  name: 'address' | 'TLS' | 'MCP' | 'tools';
  outcome: 'OK' | 'FAILED' | 'SKIPPED';
  message: string;
  durationMs: number | null;
}

/** What {@link probeServer} found out. Everything but the verdict is null where it didn't show. */
export interface ProbeReport {
  verdict: ProbeVerdict;
  message: string;
  era: Era | null;
  protocolVersion: string | null;
  server: { name: string; version: string } | null;
  toolCount: number | null;
  /** Set where the verdict is `OK`. */
  tools: RawTool[] | null;
  /** `WWW-Authenticate`, where the server wants a credential. */
  challenge: string | null;
  /** After how many milliseconds the server says that it may be asked again, where it limits who asks. */
  retryAfterMs: number | null;
  steps: ProbeStep[];
}

/** What to probe, and with what. */
export interface ProbeRequest {
  url: string;
  /** A credential to try; without one the server is asked as a stranger. */
  headers?: Readonly<Record<string, string>>;
  /** What of the headers must not come back, where that isn't all of a value: a token without what it is sent behind. */
  secrets?: readonly string[];
  opener: Pick<SessionOpener, 'open'>;
  egress: Pick<Egress, 'check' | 'request'>;
  /** A deadline over everything. */
  timeoutMs: number;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Sessions of strangers from one look to the next; left out, each look opens and ends one of its own. */
  keep?: KeptSessions;
  list?: Partial<Pick<ListLimits, 'maxBytes' | 'maxPages' | 'maxTools'>>;
}

const REFUSED = 'This address is refused by policy. Use a public https:// address, or ask an administrator to allow it (FAIRLEAD_EGRESS_ALLOW).';
const STDIO = 'This is a command or a local transport (stdio), which is not supported. Give the http(s) address of a server that speaks streamable HTTP.';
const OLD_TRANSPORT = 'The server speaks HTTP+SSE, the transport of 2024-11-05, which is not supported. '
  + 'Ask its operator for the streamable HTTP address, often ending in /mcp.';
const LIST_LIMITS = { maxBytes: 8 * 1024 * 1024, maxPages: 200, maxTools: 2_000 };
const SSE_LOOK_MS = 3_000;
const SSE_LOOK_BYTES = 16 * 1024;

/**
 * Finds out what is at a URL without changing anything there: reachable or not, MCP or not, over which transport, which era, with or without a credential.
 * Never throws for what a server does. A refused address gives the same report whatever lies behind it.
 */
export async function probeServer(request: ProbeRequest): Promise<ProbeReport> {
  const { url, egress, clock } = request;
  if (namesAnotherTransport(url)) return report('UNSUPPORTED_TRANSPORT', STDIO, [failed('address', STDIO)]);
  try {
    egress.check(url);
  } catch (error) {
    if (error instanceof EgressError) return refused();
    throw error;
  }
  const started = clock();
  const left = (): number => request.timeoutMs - (clock() - started);
  const keep = bare(request.headers) ? request.keep : undefined;
  const again = keep === undefined ? null : await listedInKept(keep, request, left() / 2);
  if (again !== null) return again;
  const openedAt = clock();
  let session: McpSession;
  try {
    session = await request.opener.open({ url, headers: request.headers, secrets: request.secrets, timeoutMs: left() });
  } catch (error) {
    if (!(error instanceof PeerFault)) throw error;
    return unopened(error, request, left(), clock() - started);
  }
  const found = await listed(session, request, left(), [...reached(url), ok('MCP', `${session.facts.protocolVersion}, streamable HTTP`, clock() - started)]);
  if (keep !== undefined && found.tools !== null) keep.put(url, { session, openedAt });
  else await session.close();
  return found;
}

/**
 * The look through a session that an earlier one left: one request that shows both that the server lives and what it offers. Null where there is no session, or where
 * it no longer does what it did: then only a new one can say why, unless the server has had enough requests for now.
 */
async function listedInKept(keep: KeptSessions, request: ProbeRequest, timeoutMs: number): Promise<ProbeReport | null> {
  const { url } = request;
  const kept = keep.take(url);
  if (kept === null) return null;
  const report = await listed(kept.session, request, timeoutMs, [...reached(url), ok('MCP', `${kept.session.facts.protocolVersion}, streamable HTTP`)]);
  if (report.tools === null && report.retryAfterMs === null) {
    keep.end(kept.session);
    return null;
  }
  keep.put(url, kept);
  return report;
}

function bare(headers: ProbeRequest['headers']): boolean {
  return headers === undefined || Object.keys(headers).length === 0;
}

/** A command line, or a URL of a scheme that names a transport of another kind. */
export function namesAnotherTransport(url: string): boolean {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url.trim())?.[1]?.toLowerCase();
  if (scheme === 'http' || scheme === 'https') return false;
  return scheme === undefined
    ? /\s/.test(url.trim()) || /^(npx|uvx|uv|node|python3?|deno|bunx?|docker|podman)$/.test(url.trim()) || /^[./~]/.test(url.trim())
    : ['stdio', 'ws', 'wss', 'sse', 'command', 'exec', 'npx', 'uvx', 'docker'].includes(scheme);
}

/** The fault of opening, told as steps and a verdict. */
async function unopened(fault: PeerFault, request: ProbeRequest, leftMs: number, tookMs: number): Promise<ProbeReport> {
  const cause = fault.cause instanceof EgressError ? fault.cause.code : null;
  if (cause === 'REFUSED') return refused();
  if (cause === 'TLS') return report('UNREACHABLE', fault.publicMessage, [ok('address', 'a server answers'), failed('TLS', fault.publicMessage)]);
  if (fault.sent === 'NOTHING') return report('UNREACHABLE', fault.publicMessage, [failed('address', fault.publicMessage)]);
  const steps = reached(request.url);
  if (fault.code === 'UNAUTHORIZED' || fault.code === 'INSUFFICIENT_SCOPE') {
    const message = bare(request.headers)
      ? 'The server is there and wants a credential.' : fault.publicMessage;
    return { ...report('AUTHENTICATION_REQUIRED', message, [...steps, ok('MCP', message, tookMs)]), challenge: fault.challenge };
  }
  if (fault.code === 'UNREACHABLE' || fault.code === 'TIMEOUT') return { ...report('UNREACHABLE', fault.publicMessage, [...steps, failed('MCP', fault.publicMessage, tookMs)]), retryAfterMs: fault.retryAfterMs };
  if (await speaksOldTransport(request, Math.min(leftMs, SSE_LOOK_MS))) {
    return report('UNSUPPORTED_TRANSPORT', OLD_TRANSPORT, [...steps, failed('MCP', OLD_TRANSPORT, tookMs)]);
  }
  const message = notMcp(fault);
  return report('NOT_MCP', message, [...steps, failed('MCP', message, tookMs)]);
}

function notMcp(fault: PeerFault): string {
  const type = fault instanceof NotMcpAnswer ? fault.contentType : null;
  const hint = 'Check the path of the address; MCP endpoints often end in /mcp.';
  if (type === 'text/html') return `The address answers with a web page, not with MCP. ${hint}`;
  if (fault.status === 404) return `Nothing is found at this path (HTTP 404). ${hint}`;
  if (fault.status === 405) return `The address takes no POST requests (HTTP 405), so it is not an MCP endpoint. ${hint}`;
  if (type === 'application/json') return `The address answers with JSON, but not in the Model Context Protocol. ${hint}`;
  return `${fault.publicMessage} ${hint}`;
}

/** Whether a GET opens a stream whose first event names an endpoint. https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#backwards-compatibility */
async function speaksOldTransport({ url, headers, egress }: ProbeRequest, timeoutMs: number): Promise<boolean> {
  if (timeoutMs <= 0) return false;
  try {
    const response = await egress.request({
      url, method: 'GET', headers: { ...headers, Accept: 'text/event-stream' }, redirect: 'refuse', timeoutMs, maxBytes: SSE_LOOK_BYTES,
    });
    try {
      if (response.status !== 200 || !String(response.headers['content-type']).toLowerCase().startsWith('text/event-stream')) return false;
      for await (const event of readEvents(response.body)) return event.event === 'endpoint';
      return false;
    } finally {
      await response.discard();
    }
  } catch (error) {
    if (error instanceof EgressError) return false;
    throw error;
  }
}

async function listed(session: McpSession, request: ProbeRequest, timeoutMs: number, steps: ProbeStep[]): Promise<ProbeReport> {
  const { clock } = request;
  const started = clock();
  const found = { era: session.facts.era, protocolVersion: session.facts.protocolVersion, server: session.facts.server };
  try {
    let changed = false;
    const limits = { ...LIST_LIMITS, ...request.list, onToolsChanged: () => { changed = true; } };
    let listing = await session.listTools({ ...limits, timeoutMs });
    const left = timeoutMs - (clock() - started);
    // Once: what changes all the time is read with the next look.
    if (changed && left > 0) listing = await session.listTools({ ...limits, timeoutMs: left });
    const { tools, dropped } = listing;
    const without = dropped.length === 0 ? '' : `; ${dropped.length} can't be used and were left out`;
    const message = `${tools.length} tools${without}`;
    const summary = `The server speaks MCP ${found.protocolVersion} over streamable HTTP and offers ${message}.`;
    return { ...report('OK', summary, [...steps, ok('tools', message, clock() - started)]), ...found, toolCount: tools.length, tools };
  } catch (error) {
    if (!(error instanceof PeerFault)) throw error;
    const wantsCredential = error.code === 'UNAUTHORIZED' || error.code === 'INSUFFICIENT_SCOPE';
    const verdict = wantsCredential ? 'AUTHENTICATION_REQUIRED' : error.code === 'UNREACHABLE' || error.code === 'TIMEOUT' ? 'UNREACHABLE' : 'OK';
    const message = verdict !== 'OK' ? error.publicMessage
      : `The server speaks MCP ${found.protocolVersion}, but its tools could not be listed: ${error.publicMessage}`;
    return { ...report(verdict, message, [...steps, failed('tools', error.publicMessage, clock() - started)]), ...found, challenge: error.challenge, retryAfterMs: error.retryAfterMs };
  }
}

/** The steps behind which the server was reached. They are part of the first request, so they have no time of their own. */
function reached(url: string): ProbeStep[] {
  const secure = new URL(url).protocol === 'https:';
  return [ok('address', 'a server answers'), secure ? ok('TLS', 'the certificate is valid') : { name: 'TLS', outcome: 'SKIPPED', message: 'plain HTTP', durationMs: null }];
}

function refused(): ProbeReport {
  return report('REFUSED_BY_POLICY', REFUSED, [failed('address', REFUSED)]);
}

function ok(name: ProbeStep['name'], message: string, took?: number): ProbeStep {
  return { name, outcome: 'OK', message, durationMs: took === undefined ? null : Math.round(took) };
}

function failed(name: ProbeStep['name'], message: string, took?: number): ProbeStep {
  return { name, outcome: 'FAILED', message, durationMs: took === undefined ? null : Math.round(took) };
}

const ORDER: ProbeStep['name'][] = ['address', 'TLS', 'MCP', 'tools'];

/** A report with nothing found but the verdict; steps that weren't come to are skipped. */
function report(verdict: ProbeVerdict, message: string, steps: ProbeStep[]): ProbeReport {
  const rest = ORDER.slice(steps.length).map((name): ProbeStep => ({ name, outcome: 'SKIPPED', message: 'not tried', durationMs: null }));
  return { verdict, message, era: null, protocolVersion: null, server: null, toolCount: null, tools: null, challenge: null, retryAfterMs: null, steps: [...steps, ...rest] };
}

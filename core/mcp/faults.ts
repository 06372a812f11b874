import { EgressError } from '../egress/errors.js';
import { PeerFault, quotePeer, type PeerFaultOptions } from '../errors.js';
import { CallCancelled } from './session.js';

/** The server no longer knows our session id: nothing was done, a new session may repeat the request. */
export class SessionForgotten extends PeerFault {
  constructor(status: number) {
    super('PROTOCOL_ERROR', 'The server no longer knows the session; a new one is opened.', { sent: 'REFUSED', status });
  }
}

/** The server answered in JSON-RPC, with an error. It is an answer: the outcome is known, and it is a failure. */
export class RpcFault extends PeerFault {
  constructor(readonly rpcCode: number, code: 'PROTOCOL_ERROR' | 'INPUT_REQUIRED' | 'TASK_REQUIRED', message: string, options: PeerFaultOptions) {
    super(code, message, options);
  }
}

/** An HTTP answer that isn't MCP at all: what was seen, for a probe's verdict. */
export class NotMcpAnswer extends PeerFault {
  constructor(readonly contentType: string | null, message: string, options: PeerFaultOptions) {
    super('PROTOCOL_ERROR', message, options);
  }
}

/** JSON-RPC codes that say that the request was turned down before it was acted upon. */
const REFUSAL_CODES = new Set([-32700, -32600, -32601, -32602, -32020, -32021, -32022]);
const MISSING_CLIENT_CAPABILITY = -32021;
/** 2025-11-25: "this needs a person at a URL". */
const URL_ELICITATION_REQUIRED = -32042;

/** A JSON-RPC error object as it came; nothing of it is trusted. */
export interface RpcError {
  code: unknown;
  message: unknown;
  data?: unknown;
}

/** What {@link rpcFault} is told of the request that was answered. */
export interface RpcErrorContext {
  method: string;
  redact: (text: string) => string;
  status?: number;
}

/** Turns a JSON-RPC error answer into a fault; the peer's text is redacted, quoted and cut. */
export function rpcFault(error: RpcError, { method, redact, status }: RpcErrorContext): RpcFault {
  const code = typeof error.code === 'number' ? error.code : 0;
  const said = quotePeer(redact(typeof error.message === 'string' ? error.message : 'no message'));
  const sent = REFUSAL_CODES.has(code) ? 'REFUSED' : 'MAYBE';
  if (method === 'tools/call') {
    if (code === URL_ELICITATION_REQUIRED) {
      return new RpcFault(code, 'INPUT_REQUIRED', `The tool asks a person for input, which a call can't give: ${said}.`, { sent, status });
    }
    if (code === MISSING_CLIENT_CAPABILITY && asksForTasks(error.data)) {
      return new RpcFault(code, 'TASK_REQUIRED', `The tool can only be run as a task, which isn't supported: ${said}.`, { sent, status });
    }
  }
  return new RpcFault(code, 'PROTOCOL_ERROR', `The server answered with error ${code}: ${said}.`, { sent, status });
}

function asksForTasks(data: unknown): boolean {
  const required = (data as { requiredCapabilities?: { extensions?: object; tasks?: unknown } } | null | undefined)?.requiredCapabilities;
  return required?.tasks !== undefined || (required?.extensions != null && 'io.modelcontextprotocol/tasks' in required.extensions);
}

/** What an HTTP error answer showed. */
export interface ErrorAnswer {
  status: number;
  challenge: string | null;
  retryAfter: string | null;
  contentType: string | null;
  /** The body's text, unredacted; only quoted after redaction. */
  text: string;
}

/**
 * Turns an HTTP answer outside 2xx (that isn't a JSON-RPC error) into a fault.
 * 4xx counts as refused before anything was done; 5xx leaves the outcome open.
 */
export function statusFault(answer: ErrorAnswer, redact: (text: string) => string): PeerFault {
  const { status, challenge } = answer;
  const options: PeerFaultOptions = {
    status, sent: status >= 400 && status < 500 && status !== 408 ? 'REFUSED' : 'MAYBE',
    challenge: challenge === null ? undefined : redact(challenge), retryAfterMs: retryAfterMs(answer.retryAfter),
  };
  if (status === 401) return new PeerFault('UNAUTHORIZED', 'The server refused the credential (HTTP 401).', options);
  if (status === 403 && challenge !== null && /\berror\s*=\s*"?insufficient_scope\b/i.test(challenge)) {
    return new PeerFault('INSUFFICIENT_SCOPE', 'The server wants more rights than the credential has (HTTP 403, insufficient_scope).', options);
  }
  if (status === 403) return new PeerFault('UNAUTHORIZED', 'The server refused access with this credential (HTTP 403).', options);
  if (status === 429) return new PeerFault('UNREACHABLE', 'The server limits the rate of requests (HTTP 429). Try again later.', options);
  if (status >= 500 && status !== 501 && status !== 505) {
    return new PeerFault('UNREACHABLE', `The server failed with HTTP ${status}.`, options);
  }
  const said = answer.text === '' ? '' : `: ${quotePeer(redact(answer.text))}`;
  return new NotMcpAnswer(answer.contentType, `The server answered with HTTP ${status}${said}.`, options);
}

/** `Retry-After` in milliseconds; a date or nonsense counts as absent. https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3 */
function retryAfterMs(value: string | null): number | undefined {
  return value !== null && /^\d{1,6}$/.test(value.trim()) ? Number(value) * 1000 : undefined;
}

/** Turns a failure of our own way out into the fault of the request it ended. Anything else is returned as it is. */
export function transportFault(error: unknown, answering = false): unknown {
  if (!(error instanceof EgressError)) return error;
  const sent = answering ? 'MAYBE' : error.sent;
  const options: PeerFaultOptions = { sent, cause: error };
  switch (error.code) {
    case 'ABORTED': return new CallCancelled(sent);
    case 'TIMEOUT': return sent === 'NOTHING'
      ? new PeerFault('UNREACHABLE', 'The connection to the server could not be opened in time.', options)
      : new PeerFault('TIMEOUT', 'The server did not answer in time.', options);
    case 'TOO_LARGE': return new PeerFault('RESULT_TOO_LARGE', 'The answer is larger than the limit: ask for less, or let a manager raise the connection type\'s calls.maxResultBytes.', options);
    case 'REDIRECT':
    case 'PROTOCOL': return new PeerFault('PROTOCOL_ERROR', sentence(error.publicMessage), options);
    default: return new PeerFault('UNREACHABLE', sentence(error.publicMessage), options);
  }
}

function sentence(fragment: string): string {
  return `${fragment.charAt(0).toUpperCase()}${fragment.slice(1)}${fragment.endsWith('.') ? '' : '.'}`;
}

import type { RpcError } from './faults.js';
import type { Progress } from './session.js';

/** A JSON-RPC message, or its result: an object whose members are unchecked. https://www.jsonrpc.org/specification */
export type Envelope = Record<string, unknown>;

/** Whether a parsed value is an object, as every message is. */
export function isEnvelope(value: unknown): value is Envelope {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** The error of an answer, or null where it has none. */
export function errorOf(message: unknown): RpcError | null {
  if (!isEnvelope(message) || !isEnvelope(message['error'])) return null;
  const { code, message: text, data } = message['error'];
  return { code, message: text, data };
}

/** What a `notifications/progress` says of the request with this token, or null where it is about another one. */
export function progressOf(message: Envelope, token: number): Progress | null {
  const params = message['params'];
  if (!isEnvelope(params) || params['progressToken'] !== token || typeof params['progress'] !== 'number') return null;
  const { progress, total, message: text } = params;
  return { progress, total: typeof total === 'number' ? total : null, message: typeof text === 'string' ? text : null };
}

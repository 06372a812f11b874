import type { Pool } from 'undici';
import type { Login } from './load.js';
import { resultOf } from './nonces.js';

/** What the tool is called with. */
export interface Arguments {
  nonce: string;
  /** Whether the result shall have a mebibyte. */
  large?: boolean;
}

/** What the API answered. */
export interface Answer {
  errors?: { message: string }[];
  data?: { callTool: { toolCall: { id: string; status: string; content: { text?: string }[] | null; error: unknown } | null; userErrors: { code: string; message: string; retryAfterMs?: number | null }[] } };
}

/** The body of a request that calls the tool `echo`. */
export function callBody(query: string, connectionType: string, login: Login, args: Arguments, idempotencyKey: string | null): string {
  const input = { connectionType, enrollmentId: login.enrollmentId, tool: 'echo', arguments: args, ...(idempotencyKey === null ? {} : { idempotencyKey }) };
  return JSON.stringify({ query, operationName: 'CallTool', variables: { input } });
}

/** Sends it. */
export async function post(pool: Pool, token: string, text: string): Promise<Answer> {
  const { statusCode, body: answer } = await pool.request({
    path: '/graphql', method: 'POST', body: text, headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
  });
  const parsed = await answer.json() as Answer;
  return statusCode === 200 ? parsed : { errors: [{ message: `HTTP ${statusCode}: ${JSON.stringify(parsed)}` }] };
}

/** What is wrong with the answer to a call with these arguments; null if nothing is. */
export function faultOf({ errors, data }: Answer, args: Arguments): string | null {
  if (errors !== undefined || data === undefined) return `the request failed: ${errors?.[0]?.message}`;
  const { toolCall, userErrors } = data.callTool;
  if (userErrors.length > 0 || toolCall === null) return `the call was refused: ${userErrors[0]?.code} ${userErrors[0]?.message}`;
  if (toolCall.status !== 'SUCCEEDED') return `the call ended as ${toolCall.status}: ${JSON.stringify(toolCall.error)}`;
  return toolCall.content?.[0]?.text === resultOf(args) ? null : `the nonce ${args.nonce} didn't come back: ${JSON.stringify(toolCall.content).slice(0, 200)}`;
}

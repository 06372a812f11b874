import { fetch, type Dispatcher } from 'undici';
import { nodeId, uuidOf } from '#api/graphql/node-id.js';
import { contractDocument } from '#test/bench/contract-document.js';

/** What an API said to a call. */
export interface Answer {
  /** When it was sent, by the machine's clock in milliseconds. */
  at: number;
  /** The call's id, as a UUID, and how it ended; null where it was refused. */
  call: { id: string; status: string; text: string | null } | null;
  /** The code of a refusal, of a call's error, or of a GraphQL error. */
  code: string | null;
  message: string | null;
}

/** Who asks. */
export interface Asker {
  token: string;
  connectionType: string;
  enrollmentId: string;
}

interface AnsweredCall {
  id: string;
  status: string;
  content: { text?: string }[] | null;
  error: { code: string; message: string } | null;
}

interface Payload {
  data?: { callTool?: { toolCall: AnsweredCall | null; userErrors: { code: string; message: string }[] }; toolCall?: AnsweredCall | null } | null;
  errors?: { message: string; extensions?: { code?: string } }[];
}

const CALL = contractDocument('CallTool');
const OUTCOME = contractDocument('ToolCall');
const PATIENCE_MS = 6000;

/** Calls the tool `echo` with a nonce, once; null if no answer came: nobody listens, the connection broke, or it took too long. `dispatcher` holds the connections, if not the process. */
export function askCall(api: string, { token, connectionType, enrollmentId }: Asker, { nonce, key, waits }: { nonce: string; key: string | null; waits?: boolean }, dispatcher?: Dispatcher): Promise<Answer | null> {
  const input = {
    connectionType, enrollmentId: nodeId('Enrollment', enrollmentId), tool: 'echo', arguments: { message: nonce },
    ...(key === null ? {} : { idempotencyKey: key }), ...(waits === false ? { wait: false } : {}),
  };
  return ask(api, token, { query: CALL, operationName: 'CallTool', variables: { input } }, dispatcher);
}

/** Asks how a call stands; null if no answer came. */
export function askOutcome(api: string, token: string, id: string, dispatcher?: Dispatcher): Promise<Answer | null> {
  return ask(api, token, { query: OUTCOME, operationName: 'ToolCall', variables: { id: nodeId('ToolCall', id) } }, dispatcher);
}

async function ask(api: string, token: string, body: object, dispatcher: Dispatcher | undefined): Promise<Answer | null> {
  const at = Date.now();
  try {
    const response = await fetch(`${api}/graphql`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(PATIENCE_MS), body: JSON.stringify(body),
      ...(dispatcher === undefined ? {} : { dispatcher }),
    });
    return { at, ...answerOf(await response.json() as Payload) };
  } catch (error) {
    if (error instanceof TypeError || (error instanceof DOMException && error.name === 'TimeoutError')) return null;
    throw error;
  }
}

function answerOf({ data, errors }: Payload): Omit<Answer, 'at'> {
  const call = data?.callTool?.toolCall ?? data?.toolCall;
  if (call != null) {
    const { id, status, content, error } = call;
    return { call: { id: uuidOf('ToolCall', id)!, status, text: content?.[0]?.text ?? null }, code: error?.code ?? null, message: error?.message ?? null };
  }
  if (data?.callTool == null) return { call: null, code: errors?.[0]?.extensions?.code ?? 'NO_DATA', message: errors?.[0]?.message ?? null };
  const [refusal] = data.callTool.userErrors;
  return { call: null, code: refusal?.code ?? 'NOTHING', message: refusal?.message ?? null };
}

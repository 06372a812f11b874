import { Pool } from 'undici';
import { runCallers, type Bounds, type Run } from './callers.js';
import { answerQuestions } from './child-program.js';
import { nonceOf } from './nonces.js';

/** Somebody with an enrollment, and the token that they call with. */
export interface Login {
  login: string;
  token: string;
  enrollmentId: string;
}

/** Calls through the API; the logins take turns. */
export interface LoadRun extends Bounds {
  url: string;
  /** The GraphQL document. */
  document: string;
  connectionType: string;
  logins: Login[];
  /** Whether each call has an idempotency key. */
  keyed: boolean;
}

/** What calling through the API gave. */
export interface LoadResult extends Run {
  /** How many calls the API says that it made: ids that are told apart. */
  distinctIds: number;
  /** The first keyed calls, to be repeated. */
  keyed: KeyedCall[];
}

/** A call that was made with a key. */
export interface KeyedCall {
  login: Login;
  nonce: string;
  key: string;
  id: string;
}

/** A call's answer is the one of this call. */
export interface Repetition {
  url: string;
  document: string;
  connectionType: string;
  calls: KeyedCall[];
}

/** What this program answers. */
export type LoadAnswers = { run: (run: LoadRun) => Promise<LoadResult>; repeat: (repetition: Repetition) => Promise<string[]> };

const KEPT_FOR_REPETITION = 5;
let sequence = 0;

// A load generator with keep-alive, in a process of its own.
async function run({ url, document, connectionType, logins, keyed, ...bounds }: LoadRun): Promise<LoadResult> {
  const pool = new Pool(url, { connections: bounds.callers, pipelining: 1 });
  const ids = new Set<string>();
  const made: KeyedCall[] = [];
  try {
    const result = await runCallers(bounds, async (index) => {
      const login = logins[index % logins.length]!;
      const nonce = nonceOf(login.login, sequence++);
      const key = keyed ? `bench-${process.pid}-${nonce}` : null;
      const answer = await post(pool, login.token, body(document, connectionType, login, nonce, key));
      const fault = faultOf(answer, nonce);
      if (fault !== null) return fault;
      const { id } = answer.data!.callTool.toolCall!;
      ids.add(id);
      if (key !== null && made.length < KEPT_FOR_REPETITION) made.push({ login, nonce, key, id });
      return null;
    });
    return { ...result, distinctIds: ids.size, keyed: made };
  } finally {
    await pool.close();
  }
}

/** Repeats keyed calls; returns what is wrong: each must give the call that was made before. */
async function repeat({ url, document, connectionType, calls }: Repetition): Promise<string[]> {
  const pool = new Pool(url, { connections: 1 });
  try {
    const faults: string[] = [];
    for (const { login, nonce, key, id } of calls) {
      const answer = await post(pool, login.token, body(document, connectionType, login, nonce, key));
      const fault = faultOf(answer, nonce);
      if (fault !== null) faults.push(fault);
      else if (answer.data!.callTool.toolCall!.id !== id) faults.push(`the key ${key} gave another call`);
    }
    return faults;
  } finally {
    await pool.close();
  }
}

interface Answer {
  errors?: { message: string }[];
  data?: { callTool: { toolCall: { id: string; status: string; content: { text?: string }[] | null; error: unknown } | null; userErrors: { code: string; message: string }[] } };
}

function body(query: string, connectionType: string, login: Login, nonce: string, idempotencyKey: string | null): string {
  const input = { connectionType, enrollmentId: login.enrollmentId, tool: 'echo', arguments: { nonce }, ...(idempotencyKey === null ? {} : { idempotencyKey }) };
  return JSON.stringify({ query, operationName: 'CallTool', variables: { input } });
}

async function post(pool: Pool, token: string, text: string): Promise<Answer> {
  const { statusCode, body: answer } = await pool.request({
    path: '/graphql', method: 'POST', body: text, headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
  });
  const parsed = await answer.json() as Answer;
  return statusCode === 200 ? parsed : { errors: [{ message: `HTTP ${statusCode}: ${JSON.stringify(parsed)}` }] };
}

function faultOf({ errors, data }: Answer, nonce: string): string | null {
  if (errors !== undefined || data === undefined) return `the request failed: ${errors?.[0]?.message}`;
  const { toolCall, userErrors } = data.callTool;
  if (userErrors.length > 0 || toolCall === null) return `the call was refused: ${userErrors[0]?.code} ${userErrors[0]?.message}`;
  if (toolCall.status !== 'SUCCEEDED') return `the call ended as ${toolCall.status}: ${JSON.stringify(toolCall.error)}`;
  return toolCall.content?.[0]?.text === JSON.stringify({ nonce }) ? null : `the nonce ${nonce} didn't come back: ${JSON.stringify(toolCall.content)}`;
}

answerQuestions({ run, repeat } satisfies LoadAnswers);

import { Pool } from 'undici';
import { callBody, faultOf, post } from './call-request.js';
import { runCallers, type Bounds, type Run } from './callers.js';
import { answerQuestions } from './child-program.js';
import { flood, type FloodResult, type FloodRun } from './flood.js';
import { nextNonce } from './nonces.js';

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
  /** Results of a mebibyte. */
  large?: boolean;
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
export type LoadAnswers = { run: (run: LoadRun) => Promise<LoadResult>; repeat: (repetition: Repetition) => Promise<string[]>; flood: (run: FloodRun) => Promise<FloodResult> };

const KEPT_FOR_REPETITION = 5;

// A load generator with keep-alive, in a process of its own.
async function run({ url, document, connectionType, logins, keyed, large = false, ...bounds }: LoadRun): Promise<LoadResult> {
  const pool = new Pool(url, { connections: bounds.callers, pipelining: 1 });
  const ids = new Set<string>();
  const made: KeyedCall[] = [];
  try {
    const result = await runCallers(bounds, async (index) => {
      const login = logins[index % logins.length]!;
      const nonce = nextNonce(login.login);
      const key = keyed ? `bench-${process.pid}-${nonce}` : null;
      const args = { nonce, ...(large && { large }) };
      const answer = await post(pool, login.token, callBody(document, connectionType, login, args, key));
      const fault = faultOf(answer, args);
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
      const answer = await post(pool, login.token, callBody(document, connectionType, login, { nonce }, key));
      const fault = faultOf(answer, { nonce });
      if (fault !== null) faults.push(fault);
      else if (answer.data!.callTool.toolCall!.id !== id) faults.push(`the key ${key} gave another call`);
    }
    return faults;
  } finally {
    await pool.close();
  }
}

answerQuestions({ run, repeat, flood } satisfies LoadAnswers);

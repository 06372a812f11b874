import { setTimeout as sleep } from 'node:timers/promises';
import { nodeId, uuidOf } from '#api/graphql/node-id.js';
import { contractDocument } from '#test/bench/contract-document.js';
import type { Chance } from './chance.js';
import type { ChaosLogin } from './scene.js';

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

/** A call that was made, perhaps several times with one key. */
export interface MadeCall {
  login: string;
  nonce: string;
  key: string | null;
  /** Of those that came. */
  answers: Answer[];
  /** How often no answer came: the process was killed, or paused for too long. */
  unanswered: number;
}

interface Payload {
  data?: { callTool: { toolCall: { id: string; status: string; content: { text?: string }[] | null; error: { code: string; message: string } | null } | null; userErrors: { code: string; message: string }[] } };
  errors?: { message: string; extensions?: { code?: string } }[];
}

const DOCUMENT = contractDocument('CallTool');
const PATIENCE_MS = 6000;
const REPEATS = 4;

/** Calls with any of the logins, through any of the APIs, one call at a time, until the signal. With a key, what isn't answered is sent again. */
export async function keepCalling(logins: readonly ChaosLogin[], apis: readonly string[], chance: Chance, over: AbortSignal, note: (call: MadeCall) => void): Promise<void> {
  for (let sequence = 0; !over.aborted; sequence += 1) {
    const login = chance.pick(logins)!;
    const nonce = `${login.name}:${sequence}`;
    const call: MadeCall = { login: login.name, nonce, key: chance.next() < 0.5 ? `key-${nonce}` : null, answers: [], unanswered: 0 };
    note(call);
    for (let attempt = 0; attempt < (call.key === null ? 1 : REPEATS); attempt += 1) {
      const answer = await ask(chance.pick(apis)!, login, call);
      if (answer === null) call.unanswered += 1;
      else call.answers.push(answer);
      // Now and then an answered call is repeated too.
      if (answer !== null && chance.next() > 0.1) break;
      if (answer === null) await sleep(chance.between(100, 800));
    }
    await sleep(chance.between(30, 250));
  }
}

async function ask(api: string, login: ChaosLogin, { nonce, key }: MadeCall): Promise<Answer | null> {
  const at = Date.now();
  const input = { connectionType: login.connectionType, enrollmentId: nodeId('Enrollment', login.enrollmentId), tool: 'echo', arguments: { message: nonce }, ...(key === null ? {} : { idempotencyKey: key }) };
  try {
    const response = await fetch(`${api}/graphql`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${login.token}` }, signal: AbortSignal.timeout(PATIENCE_MS),
      body: JSON.stringify({ query: DOCUMENT, operationName: 'CallTool', variables: { input } }),
    });
    return { at, ...answerOf(await response.json() as Payload) };
  } catch (error) {
    // Nobody listens, the connection broke, or the time is over: there is no answer.
    if (error instanceof TypeError || (error instanceof DOMException && error.name === 'TimeoutError')) return null;
    throw error;
  }
}

function answerOf({ data, errors }: Payload): Omit<Answer, 'at'> {
  if (data?.callTool == null) return { call: null, code: errors?.[0]?.extensions?.code ?? 'NO_DATA', message: errors?.[0]?.message ?? null };
  const { toolCall, userErrors } = data.callTool;
  if (toolCall === null) return { call: null, code: userErrors[0]?.code ?? 'NOTHING', message: userErrors[0]?.message ?? null };
  const { status, content, error } = toolCall;
  return { call: { id: uuidOf('ToolCall', toolCall.id)!, status, text: content?.[0]?.text ?? null }, code: error?.code ?? null, message: error?.message ?? null };
}

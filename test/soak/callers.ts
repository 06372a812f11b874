import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { askCall, askOutcome, type Answer } from '#test/chaos/ask.js';
import type { MadeCall } from '#test/chaos/callers.js';
import type { Chance } from '#test/chaos/chance.js';
import type { SoakLogin } from './scene.js';

const REPEATS = 6;
const LOOKS = 40;

/** What a caller calls with. */
export interface CallerPart {
  /** Nobody else's nonces begin with it. */
  name: string;
  logins: readonly SoakLogin[];
  apis: readonly string[];
  /** Holds the connections to them. */
  dispatcher: Dispatcher;
  chance: Chance;
  note: (call: MadeCall) => void;
}

/**
 * Calls, one call at a time, through any of the APIs, until the signal. Some calls have a key, and are sent again when they aren't answered, and now and then when they are; some don't wait, and
 * their outcome is asked for until it is there.
 */
export async function keepCalling({ name, logins, apis, dispatcher, chance, note }: CallerPart, over: AbortSignal): Promise<void> {
  for (let sequence = 0; !over.aborted; sequence += 1) {
    const login = chance.pick(logins)!;
    const nonce = `${login.name}:${name}:${sequence}`;
    const draw = chance.next();
    const call: MadeCall = { login: login.name, nonce, key: draw < 0.3 ? `key-${nonce}` : null, waits: draw < 0.2 || draw > 0.4, answers: [], unanswered: 0 };
    note(call);
    for (let attempt = 0; attempt < (call.key === null ? 1 : REPEATS); attempt += 1) {
      const answer = await askCall(chance.pick(apis)!, login, call, dispatcher);
      keep(call, answer);
      if (answer !== null && chance.next() > 0.1) break;
      if (answer === null) await sleep(chance.between(50, 400));
    }
    const running = call.answers.find((answer) => answer.call?.status === 'RUNNING')?.call;
    if (running != null) await followed(call, running.id, login.token, { apis, dispatcher, chance });
    // Whoever was refused is in no hurry.
    else if (call.answers.every((answer) => answer.call === null)) await sleep(chance.between(20, 100));
  }
}

/** Asks, through any API, until the call has ended, or nobody can be waiting for it any more. */
async function followed(call: MadeCall, id: string, token: string, { apis, dispatcher, chance }: Pick<CallerPart, 'apis' | 'dispatcher' | 'chance'>): Promise<void> {
  for (let look = 0; look < LOOKS; look += 1) {
    const answer = await askOutcome(chance.pick(apis)!, token, id, dispatcher);
    if (answer === null || answer.call?.status === 'RUNNING') await sleep(chance.between(10, 200));
    else return keep(call, answer);
  }
}

function keep(call: MadeCall, answer: Answer | null): void {
  if (answer === null) call.unanswered += 1;
  else call.answers.push(answer.call?.text == null ? answer : { ...answer, call: { ...answer.call, text: nonceIn(answer.call.text) } });
}

/** Huge results hold nonce, length and filling; they aren't kept, and neither is a slice of them, which would keep the whole. */
export function nonceIn(text: string): string {
  const [nonce = '', length] = text.slice(0, 500).split(' ', 2);
  if (length === undefined) return text;
  const whole = text.length === nonce.length + length.length + 2 + Number(length);
  return whole ? Buffer.from(nonce).toString() : `${nonce}, of ${length} characters ${text.length}`;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { askCall, type Answer } from './ask.js';
import type { Chance } from './chance.js';
import type { ChaosLogin } from './scene.js';

/** A call that was made, perhaps several times with one key. */
export interface MadeCall {
  login: string;
  nonce: string;
  key: string | null;
  /** False: with `wait: false`, answered before its end. */
  waits?: boolean;
  /** Of those that came. */
  answers: Answer[];
  /** How often no answer came: the process was killed, or paused for too long. */
  unanswered: number;
}

const REPEATS = 4;

/** Calls with any of the logins, through any of the APIs, one call at a time, until the signal. With a key, what isn't answered is sent again. */
export async function keepCalling(logins: readonly ChaosLogin[], apis: readonly string[], chance: Chance, over: AbortSignal, note: (call: MadeCall) => void): Promise<void> {
  for (let sequence = 0; !over.aborted; sequence += 1) {
    const login = chance.pick(logins)!;
    const nonce = `${login.name}:${sequence}`;
    const call: MadeCall = { login: login.name, nonce, key: chance.next() < 0.5 ? `key-${nonce}` : null, answers: [], unanswered: 0 };
    note(call);
    for (let attempt = 0; attempt < (call.key === null ? 1 : REPEATS); attempt += 1) {
      const answer = await askCall(chance.pick(apis)!, login, call);
      if (answer === null) call.unanswered += 1;
      else call.answers.push(answer);
      // Now and then an answered call is repeated too.
      if (answer !== null && chance.next() > 0.1) break;
      if (answer === null) await sleep(chance.between(100, 800));
    }
    await sleep(chance.between(30, 250));
  }
}

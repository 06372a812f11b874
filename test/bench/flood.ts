import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { callBody, faultOf, type Answer } from './call-request.js';
import type { Login } from './load.js';
import { nonceOf } from './nonces.js';

/** Calls that come at a steady rate, whatever becomes of those before: as from callers who know nothing of each other, and don't wait when they are told to. */
export interface FloodRun {
  url: string;
  document: string;
  connectionType: string;
  /** Who brings the flood; they take turns. */
  logins: Login[];
  /** Somebody else, who makes one call at a time, and pauses after each. */
  modest: Login;
  /** Calls a second. */
  rate: number;
  ms: number;
}

/** What became of calls. */
export interface Tally {
  /** Of those that succeeded, from when each was due, in milliseconds, sorted. */
  accepted: Float64Array;
  /** The same of those that were refused as asked for: `OVERLOADED` with `retryAfterMs`. */
  refused: Float64Array;
}

/** What a flood gave. */
export interface FloodResult {
  flood: Tally;
  modest: Tally;
  /** Successful calls by login. */
  byLogin: Map<string, number>;
  distinctIds: number;
  /** Answers that were neither; the first few of them in words. */
  faults: { count: number; examples: string[] };
  /** How late the generator itself was, in milliseconds: 99 of 100 calls were sent sooner after they were due. */
  sentLateMs: number;
}

/** As many as there are callers. More of them are due than that: they wait here, and that counts. */
const CONNECTIONS = 400;
const TICK_MS = 2;
const PAUSE_MS = 20;
const EXAMPLES = 5;
let sequence = 0;

/** Makes one. */
export async function flood({ url, document, connectionType, logins, modest, rate, ms }: FloodRun): Promise<FloodResult> {
  const pools = { flood: new Pool(url, { connections: CONNECTIONS, pipelining: 1 }), modest: new Pool(url, { connections: 1, pipelining: 1 }) };
  const tallies = { flood: { accepted: [] as number[], refused: [] as number[] }, modest: { accepted: [] as number[], refused: [] as number[] } };
  const ids = new Set<string>();
  const byLogin = new Map<string, number>();
  const faults: FloodResult['faults'] = { count: 0, examples: [] };
  const late: number[] = [];

  const call = async (who: 'flood' | 'modest', login: Login, due: number): Promise<void> => {
    const nonce = nonceOf(login.login, sequence++);
    const fault = await answered(pools[who], login, callBody(document, connectionType, login, { nonce }, null)).then((answer) => {
      const [refusal] = answer.data?.callTool.userErrors ?? [];
      const took = performance.now() - due;
      if (refusal?.code === 'OVERLOADED' && typeof refusal.retryAfterMs === 'number' && answer.data?.callTool.toolCall === null) return void tallies[who].refused.push(took);
      const wrong = faultOf(answer, { nonce });
      if (wrong !== null) return wrong;
      ids.add(answer.data!.callTool.toolCall!.id);
      byLogin.set(login.login, (byLogin.get(login.login) ?? 0) + 1);
      return void tallies[who].accepted.push(took);
    }, (error: unknown) => `no answer: ${error instanceof Error ? error.message : String(error)}`);
    if (typeof fault === 'string' && faults.count++ < EXAMPLES) faults.examples.push(fault);
  };

  const begin = performance.now();
  const calls: Promise<void>[] = [];
  const aside = (async () => {
    while (performance.now() < begin + ms) {
      await call('modest', modest, performance.now());
      await sleep(PAUSE_MS);
    }
  })();
  for (let now = begin; now < begin + ms; await sleep(TICK_MS), now = performance.now()) {
    for (const due = Math.min(ms, now - begin) * rate / 1000; calls.length < due;) {
      const at = begin + calls.length * 1000 / rate;
      late.push(now - at);
      calls.push(call('flood', logins[calls.length % logins.length]!, at));
    }
  }
  await Promise.all([...calls, aside]);
  await Promise.all([pools.flood.close(), pools.modest.close()]);
  const sorted = ({ accepted, refused }: typeof tallies.flood): Tally => ({ accepted: Float64Array.from(accepted).sort(), refused: Float64Array.from(refused).sort() });
  late.sort((one, other) => one - other);
  return { flood: sorted(tallies.flood), modest: sorted(tallies.modest), byLogin, distinctIds: ids.size, faults, sentLateMs: late[Math.floor(late.length * 0.99)] ?? 0 };
}

async function answered(pool: Pool, { token }: Login, body: string): Promise<Answer> {
  const { body: answer } = await pool.request({ path: '/graphql', method: 'POST', body, headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` } });
  return await answer.json() as Answer;
}

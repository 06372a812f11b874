import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { callBody, faultOf, type Answer } from './call-request.js';
import type { Login } from './load.js';
import { nextNonce } from './nonces.js';

/**
 * Calls of many callers, who together make so many a second, one at a time each, whatever they are answered: they don't wait when they are told to. A caller whose last answer is late makes the next call that much
 * later: that is counted as held back.
 */
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
  /** Calls that were due and weren't made, since all callers waited for an answer. */
  heldBack: number;
  /** How late the generator itself was, in milliseconds: 99 of 100 calls were sent sooner after they were due. */
  sentLateMs: number;
}

/** 25 times as many as keep the process busy. */
const CALLERS = 400;
const TICK_MS = 2;
const PAUSE_MS = 20;
const EXAMPLES = 5;

/** Makes one. */
export async function flood({ url, document, connectionType, logins, modest, rate, ms }: FloodRun): Promise<FloodResult> {
  const pools = { flood: new Pool(url, { connections: CALLERS, pipelining: 1 }), modest: new Pool(url, { connections: 1, pipelining: 1 }) };
  const tallies = { flood: { accepted: [] as number[], refused: [] as number[] }, modest: { accepted: [] as number[], refused: [] as number[] } };
  const ids = new Set<string>();
  const byLogin = new Map<string, number>();
  const faults: FloodResult['faults'] = { count: 0, examples: [] };
  const late: number[] = [];

  const call = async (who: 'flood' | 'modest', login: Login, due: number): Promise<void> => {
    const nonce = nextNonce(login.login);
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

  // They are connected before: how fast a machine takes 400 connections at once isn't looked at, and one that is dropped is tried again after a second.
  await Promise.all(Array.from({ length: CALLERS }, async () => (await pools.flood.request({ path: '/healthz', method: 'GET' })).body.dump()));
  const begin = performance.now();
  const calls: Promise<void>[] = [];
  let [dueSoFar, waiting, heldBack] = [0, 0, 0];
  const aside = (async () => {
    while (performance.now() < begin + ms) {
      await call('modest', modest, performance.now());
      await sleep(PAUSE_MS);
    }
  })();
  for (let now = begin; now < begin + ms; await sleep(TICK_MS), now = performance.now()) {
    for (const due = Math.min(ms, now - begin) * rate / 1000; dueSoFar < due; dueSoFar += 1) {
      const at = begin + dueSoFar * 1000 / rate;
      if (waiting >= CALLERS) {
        heldBack += 1;
        continue;
      }
      late.push(now - at);
      waiting += 1;
      calls.push(call('flood', logins[dueSoFar % logins.length]!, at).finally(() => { waiting -= 1; }));
    }
  }
  await Promise.all([...calls, aside]);
  await Promise.all([pools.flood.close(), pools.modest.close()]);
  const sorted = ({ accepted, refused }: typeof tallies.flood): Tally => ({ accepted: Float64Array.from(accepted).sort(), refused: Float64Array.from(refused).sort() });
  late.sort((one, other) => one - other);
  return { flood: sorted(tallies.flood), modest: sorted(tallies.modest), byLogin, distinctIds: ids.size, faults, heldBack, sentLateMs: late[Math.floor(late.length * 0.99)] ?? 0 };
}

async function answered(pool: Pool, { token }: Login, body: string): Promise<Answer> {
  const { body: answer } = await pool.request({ path: '/graphql', method: 'POST', body, headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` } });
  return await answer.json() as Answer;
}

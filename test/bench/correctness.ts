import type { SeenCalls } from './mcp-server.js';

/** What everybody says about the calls that were made. */
export interface Books {
  /** Calls that the SDK's client and the load generator made, by login; with those of the warm-ups. */
  made: Map<string, number>;
  /** Those that went through the API. */
  madeThrough: number;
  /** Ids of calls that answers of the API named, each once. */
  distinctIds: number;
  /** Faults of answers: no answer, a refusal, a wrong nonce. */
  answerFaults: { count: number; examples: string[] };
  /** What repeating keyed calls brought to light. */
  repetitionFaults: string[];
  seen: SeenCalls;
  /** Records that the API has: all, and those that say `SUCCEEDED`. */
  stored: number;
  storedSucceeded: number;
}

/** What is wrong, in sentences; empty if everything is right. This alone makes the benchmark fail. */
export function wrongs(books: Books): string[] {
  const { made, madeThrough, distinctIds, answerFaults, repetitionFaults, seen, stored, storedSucceeded } = books;
  const total = [...made.values()].reduce((sum, count) => sum + count, 0);
  const faults = answerFaults.count === 0 ? [] : [`${answerFaults.count} calls had a wrong answer, or none: ${answerFaults.examples.join('; ')}`];
  faults.push(...repetitionFaults.map((fault) => `Repeating a keyed call: ${fault}.`));
  if (total === 0) faults.push('No call was made at all.');
  if (seen.calls !== total) faults.push(`The server saw ${seen.calls} calls, but ${total} were made.`);
  if (seen.wrongCredential > 0) faults.push(`${seen.wrongCredential} calls reached the server without their enrollment's credential.`);
  if (seen.repeated > 0) faults.push(`${seen.repeated} calls reached the server more than once.`);
  const misattributed = [...made].filter(([login, count]) => (seen.byLogin.get(login) ?? 0) !== count);
  if (misattributed.length > 0) faults.push(`The server saw another number of calls than was made for ${misattributed.length} logins, ${misattributed[0]![0]} for one.`);
  if (distinctIds !== madeThrough) faults.push(`${madeThrough} calls were answered with ${distinctIds} different ids.`);
  if (stored !== madeThrough) faults.push(`The API has ${stored} calls on record, but ${madeThrough} were made.`);
  if (storedSucceeded !== madeThrough) faults.push(`The API has ${storedSucceeded} successful calls on record, but ${madeThrough} were made.`);
  return faults;
}

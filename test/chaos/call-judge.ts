import type { MadeCall } from './callers.js';
import type { Sighting } from './sightings.js';

/** A record of a call. */
export interface CallRecord {
  id: string;
  callerId: string;
  enrollmentId: string;
  status: string;
}

/** A login that calls are made with. */
export interface CallingLogin {
  name: string;
  enrollmentId: string;
  memberId: string;
  /** What its server sees of it. */
  credential: string;
}

/** What was seen of calls, by callers, servers and the database. */
export interface CallEvidence {
  logins: readonly CallingLogin[];
  sightings: readonly Sighting[];
  calls: readonly MadeCall[];
  records: readonly CallRecord[];
}

/** What is wrong with answers and records: a nonce that didn't come back, a call that isn't on record or is somebody else's, faults of ours, records that nobody ends. */
export function answers({ calls, records, logins }: CallEvidence): string[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  const byName = new Map(logins.map((login) => [login.name, login]));
  const wrongs: string[] = [];
  for (const { login: name, nonce, key, waits, answers: given } of calls) {
    const login = byName.get(name)!;
    if (new Set(given.flatMap(({ call }) => call?.id ?? [])).size > 1) wrongs.push(`The key of ${nonce} gave several calls.`);
    for (const { call, code, message } of given) {
      if (code !== null && /INTERNAL|NO_DATA|NOTHING/.test(code)) wrongs.push(`${nonce} was answered with a fault of ours: ${code} ${message}`);
      if (call === null) continue;
      if (call.status === 'SUCCEEDED' && call.text !== nonce) wrongs.push(`${nonce} was answered with ${JSON.stringify(call.text)}.`);
      const record = byId.get(call.id);
      if (record === undefined) wrongs.push(`${nonce} was answered as ${call.id}, and isn't on record.`);
      else if (record.callerId !== login.memberId || record.enrollmentId !== login.enrollmentId) wrongs.push(`${nonce} is on record as somebody else's call.`);
      else if (!stands(record.status, call.status, key !== null || waits === false)) wrongs.push(`${nonce} was answered as ${call.status}${key === null ? '' : ', with a key'}, and is on record as ${record.status}.`);
    }
  }
  for (const { id, status } of records) if (status === 'RUNNING') wrongs.push(`The call ${id} is on record as RUNNING, and nobody runs it any more.`);
  return wrongs;
}

/** A process that dies may take the ends of its last calls without a key with it; that they were made stays on record. */
function stands(recorded: string, answered: string, keyed: boolean): boolean {
  return recorded === answered || answered === 'RUNNING' || (!keyed && recorded === 'OUTCOME_UNKNOWN');
}

/** No call ran twice, and each came with the credential of the login that made it. */
export function executions({ sightings, calls, logins }: CallEvidence): string[] {
  const loginOf = new Map(calls.map(({ nonce, login }) => [nonce, logins.find(({ name }) => name === login)!]));
  const seen = new Set<string>();
  const wrongs: string[] = [];
  for (const { nonce, credential } of sightings) {
    if (seen.has(nonce)) wrongs.push(`${nonce} ran twice.`);
    seen.add(nonce);
    if (loginOf.get(nonce)?.credential !== credential) wrongs.push(`${nonce} reached its server with another credential than its login's.`);
  }
  for (const { nonce, answers: given } of calls) {
    if (given.some(({ call }) => call?.status === 'SUCCEEDED') && !seen.has(nonce)) wrongs.push(`${nonce} was answered as SUCCEEDED, and no server saw it.`);
  }
  return wrongs;
}

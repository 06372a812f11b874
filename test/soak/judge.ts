import { answers, executions, type CallEvidence } from '#test/chaos/call-judge.js';
import type { Holding } from './flatness.js';

/** Everything that was seen of a soak. */
export interface Evidence extends CallEvidence {
  /** How often an API was killed. */
  kills: number;
  /** Of the API that lives, at rest: after warming up and at the end; null where the system can't say. */
  warm: Holding | null;
  end: Holding | null;
}

const MIB = 1024 * 1024;
/** A process that was called thousands of times between two rests may hold so much more: caches that fill, code that was compiled. A kibibyte lost with each call is found in a minute. */
const GROWTH = { factor: 1.15, liveMiB: 12, residentMiB: 64, sockets: 4 };
/** The pool (`FAIRLEAD_DATABASE_POOL_SIZE`), which fills with demand, and what has a connection of its own: records, reservations and notifications. */
const DATABASE_SOCKETS = 10 + 8;

/** What is wrong, in sentences; empty if everything held. Pure. */
export function judge(evidence: Evidence): string[] {
  return [...substance(evidence), ...answers(evidence), ...executions(evidence), ...flatness(evidence)];
}

/** A run that says nothing is none. */
function substance({ logins, calls, kills }: Evidence): string[] {
  const kindOf = new Map(logins.map(({ name }) => [name, name.slice(name.indexOf(':') + 1)]));
  const well = new Set(calls.filter(({ answers: given }) => given.some(({ call }) => call?.status === 'SUCCEEDED')).map(({ login }) => kindOf.get(login)));
  const silent = [...new Set(kindOf.values())].filter((kind) => !well.has(kind));
  return [...silent.map((kind) => `No call to the ${kind} server succeeded: this run says nothing of it.`), ...(kills === 0 ? ['No API was killed: this run says nothing of that.'] : [])];
}

function flatness({ warm, end }: Evidence): string[] {
  if (warm === null || end === null) return [];
  const wrongs: string[] = [];
  const live = { warm: warm.liveBytes / MIB, end: end.liveBytes / MIB };
  if (live.end > live.warm * GROWTH.factor + GROWTH.liveMiB) wrongs.push(`Memory isn't flat: ${live.warm.toFixed(0)} MiB lived on after warming up, ${live.end.toFixed(0)} MiB at the end.`);
  if (end.residentMiB > warm.residentMiB * GROWTH.factor + GROWTH.residentMiB) wrongs.push(`Resident memory isn't flat: ${warm.residentMiB.toFixed(0)} MiB after warming up, ${end.residentMiB.toFixed(0)} MiB at the end.`);
  if (end.otherSockets > warm.otherSockets + GROWTH.sockets) wrongs.push(`Sockets aren't flat: ${warm.otherSockets} at rest after warming up, ${end.otherSockets} at the end.`);
  if (end.databaseSockets > DATABASE_SOCKETS) wrongs.push(`There are ${end.databaseSockets} connections to the database at the end, more than the ${DATABASE_SOCKETS} that an API has.`);
  return wrongs;
}

import type { Presented } from './authorization-server.js';
import { answers, executions, type CallEvidence, type CallingLogin } from './call-judge.js';
import type { Fault } from './disturbance.js';

/** A change of what an enrollment's conditions say, as the database noted it. Times in milliseconds, by the machine's clock. */
export interface StatusChange {
  enrollmentId: string;
  at: number;
  /** Reasons of the conditions. */
  fresh: string | null;
  authorized: string | null;
}

/** What stands at the end of an object's conditions. */
export interface EndState {
  kind: 'ConnectionType' | 'Enrollment';
  id: string;
  ready: boolean;
  reason: string | null;
  message: string;
}

/** A login in the eyes of the judge. */
export interface JudgedLogin extends CallingLogin {
  method: 'OAUTH' | 'ACCESS_TOKEN';
}

/** Everything that was seen of a run, each by those who can't be wrong about it: the provider's log, the servers, the callers, the database. */
export interface Evidence extends CallEvidence {
  logins: readonly JudgedLogin[];
  faults: readonly Fault[];
  presented: readonly Presented[];
  changes: readonly StatusChange[];
  ends: readonly EndState[];
}

/** What `RefreshOutcomeUnknown` is recorded with, and what is said of a login that ended by it. */
export const LOST = 'RefreshOutcomeUnknown';
const SAYS_SO = /answers? to .*(lost|unknown)/i;
/** A loss comes to light when the lease of whoever presented the token is over, and somebody looks. */
const COMES_TO_LIGHT_WITHIN_MS = 60_000;

/** What is wrong, in sentences; empty if everything held. Pure. */
export function judge(evidence: Evidence): string[] {
  return [...presentations(evidence), ...losses(evidence), ...answers(evidence), ...executions(evidence), ...unexplained(evidence), ...ends(evidence)];
}

/** When an answer to a refresh of this enrollment went on record as lost. */
export function lossesOf(changes: readonly StatusChange[], enrollmentId: string): number[] {
  const own = changes.filter((change) => change.enrollmentId === enrollmentId);
  return own.filter(({ fresh }, index) => fresh === LOST && own[index - 1]?.fresh !== LOST).map(({ at }) => at);
}

function presentations({ presented, logins, changes }: Evidence): string[] {
  const wrongs: string[] = [];
  for (const [token, times] of Map.groupBy(presented, (one) => one.token)) {
    const inOrder = times.toSorted((one, other) => one.began - other.began);
    const login = logins.find(({ credential }) => credential === inOrder[0]!.grantId);
    const name = login?.name ?? 'a login that nobody knows';
    if (login === undefined) wrongs.push(`A refresh token was presented that belongs to no login (${inOrder[0]!.error ?? inOrder[0]!.status}).`);
    const lost = login === undefined ? [] : lossesOf(changes, login.enrollmentId);
    if (inOrder[0]!.status !== 200) wrongs.push(`The first presentation of a refresh token of ${name} was refused: ${inOrder[0]!.error}.`);
    for (const [index, repeat] of inOrder.entries()) {
      const before = inOrder[index - 1];
      if (before === undefined) continue;
      if (repeat.began < before.ended) wrongs.push(`Two presentations of one refresh token of ${name} overlapped by ${Math.ceil(before.ended - repeat.began)} ms.`);
      if (!lost.some((at) => at >= before.began && at <= repeat.ended)) wrongs.push(`A refresh token of ${name} was presented again, and no ${LOST} was on record.`);
    }
    if (inOrder.length > 2) wrongs.push(`A refresh token of ${name} was presented ${inOrder.length} times (…${token.slice(-6)}).`);
  }
  return wrongs;
}

/** Each loss has a kill or a pause to blame, and none is to blame for two losses of one login. */
function losses({ logins, changes, faults }: Evidence): string[] {
  return logins.flatMap(({ name, enrollmentId }) => {
    const blamed = new Set<Fault>();
    return lossesOf(changes, enrollmentId).flatMap((at) => {
      const fault = faults.find((one) => !blamed.has(one) && one.at <= at && one.until >= at - COMES_TO_LIGHT_WITHIN_MS);
      if (fault === undefined) return [`${LOST} is on record of ${name}, and no kill or pause explains it.`];
      blamed.add(fault);
      return [];
    });
  });
}

/** Only a loss leaves a login that a person must see to. */
function unexplained({ calls, logins, changes }: Evidence): string[] {
  const byName = new Map(logins.map((login) => [login.name, login]));
  return calls.filter(({ login }) => lossesOf(changes, byName.get(login)!.enrollmentId).length === 0).flatMap(({ nonce, answers: given }) =>
    given.filter(({ code }) => code === 'ACTION_REQUIRED').map(({ message }) => `${nonce} was refused with ACTION_REQUIRED, and no ${LOST} is on record: ${message}`));
}

function ends({ ends: states, changes, logins }: Evidence): string[] {
  return states.filter(({ ready }) => !ready).flatMap(({ kind, id, reason, message }) => {
    const name = logins.find(({ enrollmentId }) => enrollmentId === id)?.name ?? `${kind} ${id}`;
    if (kind !== 'Enrollment' || lossesOf(changes, id).length === 0) return [`${name} isn't Ready at the end: ${reason} ${message}`];
    return SAYS_SO.test(message) ? [] : [`${name} isn't Ready at the end, which a lost answer explains, and doesn't say so: ${reason} ${message}`];
  });
}

/** Whether an object's end can be told: it is Ready, or only a person can go on. */
export function settled({ kind, ready, reason }: EndState, latest: StatusChange | undefined): boolean {
  if (kind === 'ConnectionType' || latest === undefined) return ready;
  return latest.fresh !== LOST && (ready || reason === 'ConsentRequired');
}

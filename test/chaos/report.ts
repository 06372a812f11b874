import type { Outcome } from './chaos.js';
import { lossesOf } from './judge.js';

/** What happened, in a few lines. */
export function summary({ evidence, settledAfterMs, outages, logged }: Outcome): string {
  const { faults, presented, calls, logins, changes, ends, records } = evidence;
  const kills = faults.filter(({ kind }) => kind === 'KILL').length;
  const repeats = presented.length - new Set(presented.map(({ token }) => token)).size;
  const losses = logins.reduce((sum, { enrollmentId }) => sum + lossesOf(changes, enrollmentId).length, 0);
  const over = ends.filter(({ ready }) => !ready).length;
  const answers = calls.flatMap((call) => call.answers);
  const byOutcome = [...Map.groupBy(answers, ({ call, code }) => [call?.status ?? 'refused', code].filter((one) => one !== null).join(' '))].map(([name, list]) => `${list.length} ${name}`).toSorted();
  return [
    `${kills} kills and ${faults.length - kills} pauses of four processes, ${outages} outages of servers; settled ${settledAfterMs === null ? 'never' : `after ${(settledAfterMs / 1000).toFixed(1)} s`}.`,
    `${presented.length} presentations of refresh tokens, ${repeats} of them repeats; ${losses} losses on record; ${over} of ${ends.length} objects wait for a person.`,
    `${calls.length} calls, ${calls.filter(({ answers: given }) => given.length === 0).length} never answered, ${records.length} on record: ${byOutcome.join(', ')}.`,
    ...(logged.size === 0 ? [] : ['Errors that processes logged:', ...[...logged].map(([message, line]) => `  ${message}: ${line.slice(0, 600)}`)]),
  ].join('\n');
}

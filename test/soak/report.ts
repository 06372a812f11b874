import type { Holding } from './flatness.js';
import type { Outcome } from './soak.js';

/** What happened, in a few lines. */
export function summary({ evidence, outages, mostSockets, logged }: Outcome): string {
  const { calls, records, kills, warm, end } = evidence;
  const answers = calls.flatMap((call) => call.answers);
  const byOutcome = [...Map.groupBy(answers, ({ call, code }) => [call?.status ?? 'refused', code].filter((one) => one !== null).join(' '))].map(([name, list]) => `${list.length} ${name}`).toSorted();
  return [
    `${calls.length} calls (${calls.filter(({ key }) => key !== null).length} with a key, ${calls.filter(({ waits }) => waits === false).length} that didn't wait), ${kills} kills of an API, ${outages} outages of the flapping server.`,
    `${calls.filter(({ answers: given }) => given.length === 0).length} never answered, ${records.length} on record: ${byOutcome.join(', ')}.`,
    warm === null || end === null ? 'Memory and sockets are looked at on Linux only.' : `The API that lives, at rest: ${holding(warm)} after warming up; ${holding(end)} at the end; ${mostSockets} sockets at the most meanwhile.`,
    ...(logged.size === 0 ? [] : ['Errors that processes logged:', ...[...logged.values()].map((line) => `  ${line.slice(0, 600)}`)]),
  ].join('\n');
}

function holding({ liveBytes, residentMiB, databaseSockets, otherSockets }: Holding): string {
  return `${(liveBytes / 2 ** 20).toFixed(1)} MiB live (${residentMiB.toFixed(0)} resident), ${otherSockets} sockets and ${databaseSockets} to the database`;
}

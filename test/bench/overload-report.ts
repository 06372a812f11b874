import type { OverloadRound } from './bench.js';
import { tableText, times, two, type Verdict } from './report.js';
import { median } from './statistics.js';

/** What is asked for (issue 6, point 5): of what is accepted, and of the second after. */
export const OVERLOAD_TARGETS = { p99: 2, recovered: 1.5 } as const;

/** The rounds of an overload, each figure as the median of the rounds. */
export function overloadText(rounds: readonly OverloadRound[]): string {
  const of = (figure: (round: OverloadRound) => number): number => median(rounds.map(figure));
  const row = (name: string, perSecond: (round: OverloadRound) => number, flow: (round: OverloadRound) => { median: number; p99: number }): string[] =>
    [`  ${name}`, `${of(perSecond).toFixed(0)}`, `${two(of((round) => flow(round).median))} ms`, `${two(of((round) => flow(round).p99))} ms`];
  const shares = rounds.map(({ modest }) => modest.refused / Math.max(1, modest.calls));
  return tableText([
    [`Overload: ${of(({ rate }) => rate).toFixed(0)} calls/s, from 400 callers who don't wait when told to`, 'calls/s', 'median', 'p99'],
    row('before it, 16 callers', ({ normal }) => normal.perSecond, ({ normal }) => normal),
    row('accepted', ({ accepted }) => accepted.perSecond, ({ accepted }) => accepted),
    row('refused, OVERLOADED', ({ refused }) => refused.perSecond, ({ refused }) => refused),
    ['  held back, their callers waiting', of(({ heldBack }) => heldBack).toFixed(0), '', ''],
    row('in the second after it', ({ after }) => after.perSecond, ({ after }) => after),
  ]) + `Somebody else who makes one call at a time meanwhile: median ${two(of(({ modest }) => modest.median))} ms, ${(median(shares) * 100).toFixed(1)} % refused.`
    + ` Times count from when a call was due; the generator sent 99 of 100 within ${two(of(({ sentLateMs }) => sentLateMs))} ms of it.\n`;
}

/** The verdicts on it. */
export function overloadVerdicts(rounds: readonly OverloadRound[]): Verdict[] {
  const p99 = median(rounds.map(({ accepted, normal }) => accepted.p99 / normal.p99));
  const sheds = rounds.every(({ accepted, refused }) => refused.perSecond > 0 && accepted.perSecond > 0);
  const recovered = (figure: 'median' | 'p99'): number => median(rounds.map(({ after, normal }) => after[figure] / normal[figure]));
  return [
    { what: 'overload: sheds with typed errors', value: sheds ? 'yes' : 'no', target: 'OVERLOADED with retryAfterMs', met: sheds },
    { what: 'overload: p99 of what is accepted', value: times(p99), target: `under ${times(OVERLOAD_TARGETS.p99)} the normal`, met: p99 < OVERLOAD_TARGETS.p99 },
    ...(['median', 'p99'] as const).map((figure): Verdict => (
      { what: `overload: ${figure} in the second after`, value: times(recovered(figure)), target: `at most ${times(OVERLOAD_TARGETS.recovered)} the normal`, met: recovered(figure) <= OVERLOAD_TARGETS.recovered }
    )),
  ];
}

import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Comparisons, Memory, OverloadRound } from '#test/bench/bench.js';
import { originOf } from '#test/bench/bundle-map.js';
import { runCallers } from '#test/bench/callers.js';
import { contractDocument } from '#test/bench/contract-document.js';
import { wrongs, type Books } from '#test/bench/correctness.js';
import { IDLE, readProfile } from '#test/bench/cpu-profile.js';
import { credentialOf, loginOf, nextNonce } from '#test/bench/nonces.js';
import { overloadText, overloadVerdicts } from '#test/bench/overload-report.js';
import { planOf } from '#test/bench/plan.js';
import { comparisonText, largeVerdict, verdictsOn } from '#test/bench/report.js';
import { compare, median, quantile, type Leg } from '#test/bench/statistics.js';

const leg = (milliseconds: number, perSecond: number): Leg => ({ median: milliseconds, p99: milliseconds * 3, perSecond, cpuMicros: 100 });

describe('statistics', () => {
  test('quantiles of sorted values, medians of any', () => {
    expect([quantile([1, 2, 3, 4], 0.5), quantile([1, 2, 3, 4], 0.99), quantile([], 0.5)]).toEqual([3, 4, Number.NaN]);
    expect([median([3, 1, 2]), median([4, 1, 3, 2])]).toEqual([2, 2.5]);
  });

  test('ratios are taken round by round, so that a slow round counts for both', () => {
    const direct = [leg(1, 1000), leg(10, 100), leg(1, 1000)];
    const through = [leg(2, 500), leg(20, 50), leg(3, 400)];
    expect(compare(through, direct)).toEqual({ latency: 2, throughput: 0.5, latencyRange: [2, 3], throughputRange: [0.4, 0.5] });
  });
});

describe('verdicts', () => {
  const turns = (latency: number, throughput: number): Comparisons['turns'] => ({ direct: [leg(1, 1000)], through: [leg(latency, 1000 * throughput)], keyed: [leg(9, 10)] });
  const memory = (withSessions: number, sessions = 1000): Memory => ({ afterRounds: 500, started: 100, withSessions, sessions, coldMs: { median: 1, p99: 2 } });

  test('median and throughput at each number of callers, and memory', () => {
    const verdicts = verdictsOn([{ callers: 1, turns: turns(2.5, 0.5) }, { callers: 16, turns: turns(2.6, 0.49) }], memory(143));
    expect(verdicts.map(({ what, met }) => [what, met])).toEqual([
      ['median, 1 caller', true], ['throughput, 1 caller', true], ['median, 16 callers', false], ['throughput, 16 callers', false], ['memory, 1000 warm sessions', true],
    ]);
    expect(verdictsOn([], memory(144))[0]?.met).toBe(false);
  });

  test('memory has no verdict where fewer sessions were opened than the target speaks of', () => {
    expect(verdictsOn([], memory(400, 200))).toEqual([]);
  });

  test('results of a mebibyte: the ratio of medians', () => {
    expect(largeVerdict({ direct: [leg(10, 100)], through: [leg(25, 40)] }).met).toBe(true);
    expect(largeVerdict({ direct: [leg(10, 100)], through: [leg(26, 40)] })).toMatchObject({ value: '2.60×', met: false });
  });

  const round = (p99: number, after: number, refused = 100): OverloadRound => ({
    normal: leg(10, 1000), rate: 4000, accepted: { perSecond: 900, median: 12, p99 }, refused: { perSecond: refused, median: 250, p99: 260 }, heldBack: 2000,
    modest: { calls: 50, refused: 1, median: 9 }, after: leg(after, 1000), sentLateMs: 3,
  });

  test('overload: typed errors, the p99 of what is accepted, and the second after, each beside the normal time of its round', () => {
    const met = (rounds: OverloadRound[]): boolean[] => overloadVerdicts(rounds).map((one) => one.met);
    expect(met([round(59, 15)])).toEqual([true, true, true, true]);
    expect(met([round(60, 10)])).toEqual([true, false, true, true]);
    expect(met([round(40, 16)])).toEqual([true, true, false, false]);
    expect(met([round(40, 10), round(40, 10, 0)])).toEqual([false, true, true, true]);
    expect(overloadText([round(40, 10)])).toMatch(/accepted +900 +12\.00 ms +40\.00 ms[^]*held back, their callers waiting +2000[^]*2\.0 % refused/);
  });

  test('the table shows every way of calling', () => {
    const text = comparisonText([{ callers: 1, turns: turns(2, 0.5) }]);
    expect(text).toMatch(/directly +1\.00 ms +3\.00 ms +1000/);
    expect(text).toMatch(/callTool +2\.00 ms .* 2\.00× \(2\.00–2\.00\) +0\.50× \(0\.50–0\.50\)/);
    expect(text).toMatch(/with an idempotency key +9\.00 ms/);
  });
});

describe('what makes the benchmark fail', () => {
  const right = (): Books => ({
    made: new Map([['direct', 5], ['ada', 3]]), madeThrough: 3, distinctIds: 3, answerFaults: { count: 0, examples: [] }, repetitionFaults: [],
    seen: { calls: 8, wrongCredential: 0, repeated: 0, byLogin: new Map([['direct', 5], ['ada', 3]]) }, stored: 3, storedSucceeded: 3,
  });

  test('nothing, if all books agree', () => {
    expect(wrongs(right())).toEqual([]);
  });

  test.each<[string, (books: Books) => void, RegExp]>([
    ['an answer with another nonce', (books) => { books.answerFaults = { count: 1, examples: ['the nonce x'] }; }, /1 calls had a wrong answer.*the nonce x/],
    ['a key that gave two calls', (books) => { books.repetitionFaults.push('the key k gave another call'); }, /the key k gave another call/],
    ['no call', (books) => { books.made.clear(); }, /No call was made/],
    ['a call that the server didn\'t see', (books) => { books.seen.calls = 7; }, /saw 7 calls, but 8 were made/],
    ['another credential', (books) => { books.seen.wrongCredential = 1; }, /without their enrollment's credential/],
    ['a call that was sent twice', (books) => { books.seen.repeated = 1; }, /more than once/],
    ['calls of one login that came as another\'s', (books) => { books.seen.byLogin = new Map([['direct', 6], ['ada', 2]]); }, /for 2 logins/],
    ['two answers with the same id', (books) => { books.distinctIds = 2; }, /2 different ids/],
    ['a call without a record', (books) => { books.stored = 2; }, /2 calls on record, but 3/],
    ['a record that doesn\'t say how it ended', (books) => { books.storedSucceeded = 2; }, /2 successful calls on record/],
  ])('%s', (_name, spoil, message) => {
    const books = right();
    spoil(books);
    expect(wrongs(books).join('\n')).toMatch(message);
  });
});

test('Callers stop at the number of calls, and count what was wrong and what was thrown', async () => {
  const run = await runCallers({ callers: 3, warmUpMs: 0, ms: 60_000, maxCalls: 10 }, async (sequence) => {
    if (sequence === 4) throw new Error('gone');
    return sequence === 7 ? 'wrong' : null;
  });
  expect([run.calls, run.latencies.length, run.faults.count]).toEqual([10, 10, 2]);
  expect(run.faults.examples.toSorted()).toEqual(['no answer: gone', 'wrong']);
});

test('A nonce leads to the login that made it, and so to the credential that must come with it', () => {
  const [one, other] = [nextNonce('member-1-2'), nextNonce('member-1-2')];
  expect([loginOf(one), loginOf(other), one === other]).toEqual(['member-1-2', 'member-1-2', false]);
  expect(credentialOf('a')).not.toBe(credentialOf('b'));
});

test('A document of the contract comes with its fragments', () => {
  expect(contractDocument('CallTool')).toMatch(/^mutation CallTool[^]*fragment ToolCallCore[^]*fragment Refusal/);
});

test('Flags that aren\'t known, or lack their number, are refused with what there is', () => {
  expect(planOf(['--quick', '--rounds', '2']).rounds).toBe(2);
  expect(planOf(['--profile']).profile).toBe('ALWAYS');
  expect(() => planOf(['--fast'])).toThrow(/--fast isn't known[^]*--quick/);
  expect(() => planOf(['--rounds', 'many'])).toThrow(/--rounds/);
});

test('What stands in the bundle is found where it came from', () => {
  const places = readdirSync('dist/bundle').filter((name) => name.endsWith('.js')).flatMap((name) => {
    const url = pathToFileURL(resolve('dist/bundle', name)).href;
    return readFileSync(join('dist/bundle', name), 'utf8').split('\n')
      .flatMap((line, lineNumber) => [...line.matchAll(/(?:class CallRunner|CallRunner=class|function executeFieldsSerially)\b/g)].map(({ index }) => originOf({ url, lineNumber, columnNumber: index }).url));
  });
  expect([...new Set(places)].toSorted()).toEqual(['api/call/call-runner.ts', 'node_modules/graphql/execution/execute.js'].map((path) => pathToFileURL(resolve(path)).href));
  const elsewhere = { url: 'file:///x/y.js', lineNumber: 3, columnNumber: 1 };
  expect(originOf(elsewhere)).toBe(elsewhere);
});

test('A profile counts what native code does for the part that called it, and only what lies in the window', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 1, columnNumber: 0 });
  const nodes = [
    { id: 1, callFrame: frame('(root)'), children: [2, 4, 5] },
    { id: 2, callFrame: frame('query', 'file:///x/node_modules/pg/lib/client.js'), children: [3] },
    { id: 3, callFrame: frame('writev') },
    { id: 4, callFrame: frame('(idle)') },
    { id: 5, callFrame: frame('run', 'file:///x/dist/api/call/call-runner.js') },
  ];
  await writeFile(join(folder, 'p'), JSON.stringify({ nodes, startTime: 1000, samples: [5, 2, 3, 4, 5, 5], timeDeltas: [10, 10, 30, 40, 20, 500] }));
  const spent = readProfile(join(folder, 'p'), { from: 1015, to: 1110 });
  await rm(folder, { recursive: true });
  expect(spent.parts).toEqual([['pg', 0.4], [IDLE, 0.4], ['Fairlead: api/call', 0.2]]);
  expect(spent.functions[0]).toEqual(['writev (native, for pg)', 0.3]);
});

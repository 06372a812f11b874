import { Records } from '#api/call/records.js';
import { createLogger } from '#core/log.js';
import type { ToolCall } from '#core/store/entities/tool-call.entity.js';

const row = (id: string, status: ToolCall['status'] = 'RUNNING'): ToolCall => ({ id, status }) as ToolCall;

/** A database that takes a group when the test says so, and keeps what it took. */
function gatedDatabase() {
  const groups: { calls: string[]; take: () => void; refuse: (error: Error) => void }[] = [];
  const stored = new Map<string, string>();
  const write = (calls: readonly ToolCall[]): Promise<void> => new Promise((resolve, reject) => {
    const take = (): void => {
      for (const call of calls) stored.set(call.id, call.status);
      resolve();
    };
    groups.push({ calls: calls.map((call) => `${call.id} ${call.status}`), take, refuse: reject });
  });
  return { groups, stored, records: new Records({ write, logger: createLogger('silent'), lingerMs: 5 }) };
}

const ticks = async (count = 10): Promise<void> => { for (let tick = 0; tick < count; tick++) await Promise.resolve(); };
async function group(groups: { calls: string[]; take: () => void; refuse: (error: Error) => void }[], index: number) {
  while (groups.length <= index) await new Promise((resolve) => setTimeout(resolve, 1));
  return groups[index]!;
}
const dataFault = (): Error => Object.assign(new Error('invalid byte sequence'), { code: '22021' });
const outage = (): Error => Object.assign(new Error('terminating connection'), { code: '57P01' });

describe('records of calls', () => {
  it('go out one group at a time, and what comes meanwhile goes with the next', async () => {
    const { groups, records } = gatedDatabase();
    const first = records.store(row('a'));
    const rest = [records.store(row('b')), records.store(row('c'))];
    await ticks();
    expect(groups.map((one) => one.calls)).toEqual([['a RUNNING']]);
    groups[0]!.take();
    await first;
    (await group(groups, 1)).take();
    await Promise.all(rest);
    expect(groups.map((one) => one.calls)).toEqual([['a RUNNING'], ['b RUNNING', 'c RUNNING']]);
  });

  it('of a call that ends before its row went out are inserted as ended, and whoever waited is told', async () => {
    const { groups, records } = gatedDatabase();
    const first = records.store(row('a'));
    const second = records.store(row('b'));
    records.storeSoon(row('b', 'SUCCEEDED'));
    groups[0]!.take();
    await first;
    (await group(groups, 1)).take();
    await second;
    expect(groups[1]!.calls).toEqual(['b SUCCEEDED']);
  });

  it('of ends wait a moment for company, and are in the way of nobody who waits', async () => {
    const { groups, records } = gatedDatabase();
    records.storeSoon(row('a', 'SUCCEEDED'));
    await ticks();
    expect(groups).toHaveLength(0);
    const awaited = records.store(row('b'));
    expect(groups.map((one) => one.calls)).toEqual([['b RUNNING']]);
    records.storeSoon(row('c', 'SUCCEEDED'));
    expect((await group(groups, 1)).calls).toEqual(['a SUCCEEDED', 'c SUCCEEDED']);
    groups[0]!.take();
    await awaited;
    groups[1]!.take();
  });

  it('of an end never overtake the row that is on its way', async () => {
    const { groups, stored, records } = gatedDatabase();
    const awaited = records.store(row('a'));
    records.storeSoon(row('a', 'SUCCEEDED'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(groups.map((one) => one.calls)).toEqual([['a RUNNING']]);
    groups[0]!.take();
    await awaited;
    (await group(groups, 1)).take();
    await records.flush();
    expect([...stored]).toEqual([['a', 'SUCCEEDED']]);
  });

  it('are tried again after a failure, though those who waited have been told', async () => {
    const { groups, stored, records } = gatedDatabase();
    const waiting = records.store(row('a'));
    groups[0]!.refuse(outage());
    await expect(waiting).rejects.toThrow('the record of call a could not be written');
    expect(records.failing).toBe(true);
    records.storeSoon(row('a', 'FAILED'));
    (await group(groups, 1)).take();
    await records.flush();
    expect(records.failing).toBe(false);
    expect([...stored]).toEqual([['a', 'FAILED']]);
  });

  it('that can\'t be stored don\'t take the others of their group with them', async () => {
    const { groups, stored, records } = gatedDatabase();
    const first = records.store(row('a'));
    const [bad, good] = [records.store(row('bad')), records.store(row('good'))];
    groups[0]!.take();
    await first;
    (await group(groups, 1)).refuse(dataFault());
    (await group(groups, 2)).refuse(dataFault());
    await expect(bad).rejects.toThrow('the record of call bad could not be written');
    (await group(groups, 3)).take();
    await good;
    expect([...stored.keys()]).toEqual(['a', 'good']);
    expect(await records.drain()).toBe(0);
  });

  it('are all written when it drains, and it says how many were not', async () => {
    const { groups, records } = gatedDatabase();
    records.storeSoon(row('a', 'SUCCEEDED'));
    const drained = records.drain();
    for (let round = 0; round < 3; round++) {
      const found = await Promise.race([group(groups, round), drained]);
      if (typeof found === 'number') break;
      found.refuse(outage());
    }
    expect(await drained).toBe(1);
  });
});

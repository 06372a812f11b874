import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { CallWorld, type Caller } from '#test/support/calls/world.js';
import { startChild, type Child } from '#test/support/child.js';
import { until } from '#test/support/mcp-servers/until.js';
import type { DeathStage, MakeCalls } from '#test/support/programs/make-calls.js';

const PROGRAM = fileURLToPath(new URL('../support/programs/make-calls.js', import.meta.url));
const ANSWER = { content: [{ type: 'text', text: 'the answer' }] };

let world: CallWorld;
let server: GatedServer;
let ada: Caller;
let answering = true;

beforeAll(async () => {
  server = await startGated(() => (answering ? ANSWER : undefined));
  world = await CallWorld.create();
  ada = await world.caller('ada');
  await world.enroll(await world.type({ serverUrl: server.url }), ada);
});
afterAll(async () => {
  await world.close();
  await server.close();
});
beforeEach(() => {
  answering = true;
  server.calls.length = 0;
});

function makeCalls(stage: DeathStage | null, key: string): Child {
  const order: MakeCalls = { databaseUrl: world.database.url, ring: world.ring, principal: ada.principal, stage, key };
  return startChild([process.execPath, PROGRAM, JSON.stringify(order)]);
}

/** Ends the calls of processes that are dead: again, as beats do, where a statement of the dead was still at work. */
async function swept(): Promise<void> {
  await until(async () => {
    await world.service.adoptOrphans();
    return (await world.query(`select 1 from tool_calls where status = 'RUNNING'`)).length === 0;
  });
}

describe('a process that is killed during a call with a key', () => {
  it.each<[DeathStage, { ran: number; found: string | null; afterRetry: string; ranInAll: number; content: object | null }]>([
    ['BEFORE_RESERVATION', { ran: 0, found: null, afterRetry: 'SUCCEEDED', ranInAll: 1, content: ANSWER.content }],
    ['RESERVED', { ran: 0, found: 'OUTCOME_UNKNOWN', afterRetry: 'OUTCOME_UNKNOWN', ranInAll: 0, content: null }],
    ['AT_THE_SERVER', { ran: 1, found: 'OUTCOME_UNKNOWN', afterRetry: 'OUTCOME_UNKNOWN', ranInAll: 1, content: null }],
    ['ANSWERED', { ran: 1, found: 'OUTCOME_UNKNOWN', afterRetry: 'OUTCOME_UNKNOWN', ranInAll: 1, content: null }],
    ['SEALING_RESULT', { ran: 1, found: 'OUTCOME_UNKNOWN', afterRetry: 'OUTCOME_UNKNOWN', ranInAll: 1, content: null }],
    ['RECORDED', { ran: 1, found: 'SUCCEEDED', afterRetry: 'SUCCEEDED', ranInAll: 1, content: ANSWER.content }],
  ])('(%s) has run it at most once, and its record says what is known', async (stage, expected) => {
    answering = stage !== 'AT_THE_SERVER';
    const key = `key-${stage}`;
    const child = makeCalls(stage, key);
    if (stage === 'AT_THE_SERVER') {
      await Promise.race([server.arrived(1), child.ended]);
      child.process.kill('SIGKILL');
    }
    expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL' });
    answering = true;
    expect(server.calls).toHaveLength(expected.ran);

    await swept();
    const records = await world.query<{ id: string; status: string }>(`select c.id, c.status from idempotency_keys k join tool_calls c on c.id = k.tool_call_id where k.key = $1`, [key]);
    expect(records.map((record) => record.status)).toEqual(expected.found === null ? [] : [expected.found]);

    const again = await ada.call({ tool: 'echo', arguments: { nonce: key }, idempotencyKey: key });
    expect(again).toMatchObject({ record: { status: expected.afterRetry }, content: expected.content, arguments: { nonce: key } });
    if (records[0] !== undefined) expect(again.record.id).toBe(records[0].id);
    if (expected.afterRetry === 'OUTCOME_UNKNOWN') expect(again.record).toMatchObject({ error: { retryable: false, message: expect.stringContaining('may have run') }, finishedAt: expect.any(Date) });
    expect(server.calls).toHaveLength(expected.ranInAll);
  });
});

it('every call that a killed process has answered is on record', async () => {
  const child = makeCalls(null, 'none');
  let answers = 0;
  createInterface({ input: child.process.stdout! }).on('line', () => { if (++answers === 200) child.process.kill('SIGKILL'); });
  await child.ended;
  const ids = child.output.map((line) => line.split(' ')[1]);
  expect(ids.length).toBeGreaterThanOrEqual(200);
  await swept();
  const rows = await world.query<{ id: string; status: string }>('select id, status from tool_calls where id = any($1)', [ids]);
  expect(rows).toHaveLength(ids.length);
  // The ends of the last moments may be lost with the process; the calls are not.
  expect(rows.filter((row) => row.status !== 'SUCCEEDED' && row.status !== 'OUTCOME_UNKNOWN')).toEqual([]);
});

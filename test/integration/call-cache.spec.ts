import { UserFault } from '#core/errors.js';
import { CallLog } from '#core/store/call-log.js';
import { newId } from '#core/store/ids.js';
import type { ToolCall } from '#core/store/entities/tool-call.entity.js';
import { Store } from '#core/store/store.js';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { refusal } from '#test/support/calls/refusal.js';
import { CallWorld, ECHO, type CallProcess, type Caller } from '#test/support/calls/world.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';

let world: CallWorld;
let server: GatedServer;
let ada: Caller;
let type: ConnectionType;
const statements: string[] = [];
let counted: Store;
let other: CallProcess;

beforeAll(async () => {
  server = await startGated((call) => ({ content: [{ type: 'text', text: String(call.arguments['nonce']) }] }));
  world = await CallWorld.create();
  ada = await world.caller('ada');
  type = await world.type({ serverUrl: server.url });
  await world.enroll(type, ada);
  counted = await Store.open({ url: world.database.url, poolSize: 3, onStatement: (sql) => statements.push(sql) });
  // Begins to listen when all of that is committed, so that no word of it comes in the middle of a test.
  other = await world.process({ store: counted });
});
afterAll(async () => {
  await other.stop();
  await counted.close();
  await world.close();
  await server.close();
});

const call = (nonce: string) => ada.call({ tool: 'echo', arguments: { nonce } }, other.service);
const hot = (): string[] => statements.filter((sql) => !/processes|cancel_requested|expires_at/.test(sql));

async function warm(): Promise<void> {
  do {
    statements.length = 0;
    // The change that let it through again may not have been heard yet.
    await call('warming').catch((error: unknown) => { if (!(error instanceof UserFault)) throw error; });
  } while (hot().length > 0);
}

it('a warm call asks the database nothing, and its record is there when it answers', async () => {
  await warm();
  statements.length = 0;
  const views = [];
  for (let index = 0; index < 20; index++) views.push(await call(`n${index}`));
  expect(hot()).toEqual([]);
  const rows = await world.query('select id from tool_calls where id = any($1)', [views.map((view) => view.record.id)]);
  expect(rows).toHaveLength(20);
});

it('sixteen callers at once are all answered with their own nonce and recorded', async () => {
  const views = (await Promise.all(Array.from({ length: 16 }, async (_, caller) => {
    const mine = [];
    for (let index = 0; index < 10; index++) {
      const nonce = `${caller}-${index}`;
      const view = await call(nonce);
      expect(view.content).toEqual([{ type: 'text', text: nonce }]);
      mine.push(view.record.id);
    }
    return mine;
  }))).flat();
  await other.service.list(ada.principal, world.team.id, {}, { first: 1, after: null });
  expect(await world.query(`select count(*)::int as n, count(*) filter (where status = 'SUCCEEDED')::int as done from tool_calls where id = any($1)`, [views])).toEqual([{ n: 160, done: 160 }]);
});

it('a change that another process commits is heard', async () => {
  await warm();
  await world.change(type, { toolPolicy: { ...type.spec.toolPolicy, deny: ['echo'] } });
  let code = '';
  while (code !== 'TOOL_DENIED') code = await call('denied?').then(() => '', (error: { code: string }) => error.code);
  await world.change(type, { toolPolicy: type.spec.toolPolicy });
  await warm();
});

it('while changes can\'t be heard, every call looks anew', async () => {
  await warm();
  await world.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fairlead listener' and datname = current_database()`);
  let looked = 0;
  for (let index = 0; looked === 0; index++) {
    statements.length = 0;
    await call(`${index}`);
    looked = hot().length;
  }
  expect(looked).toBeGreaterThan(0);
  await warm();
});

it('a tool that somebody made up isn\'t kept in memory, a new one is found at once', async () => {
  expect(await refusal(ada.call({ tool: 'new' }, other.service))).toMatchObject({ code: 'TOOL_UNKNOWN' });
  await world.store.transaction((repositories) => repositories.tools.insert({ teamId: world.team.id, connectionTypeId: type.id, enrollmentId: null }, { name: 'new', definition: JSON.stringify({ ...ECHO, name: 'new' }), hash: 'h' }, null));
  expect((await ada.call({ tool: 'new' }, other.service)).record.status).toBe('SUCCEEDED');
});

describe('when the database doesn\'t take the record', () => {
  it('the answer is an error of ours, later calls aren\'t sent before they are on record, and nothing is lost', async () => {
    await warm();
    await world.query('alter table tool_calls rename to tool_calls_away');
    await expect(call('lost?')).rejects.toMatchObject({ name: 'InvariantBroken', message: expect.stringContaining('could not be written') });
    const sent = server.calls.length;
    await expect(call('not sent')).rejects.toMatchObject({ name: 'InvariantBroken' });
    expect(server.calls).toHaveLength(sent);
    await world.query('alter table tool_calls_away rename to tool_calls');
    let rows: unknown[] = [];
    while (rows.length < 2) rows = await world.query(`select status, error->>'retryable' as retryable from tool_calls where started_at > now() - interval '1 minute' order by id desc limit 2`).then((found) => (found as { status: string }[]).filter((row) => row.status !== 'RUNNING'));
    let last: unknown;
    do last = await world.query('select status from tool_calls order by id desc limit 2'); while (JSON.stringify(last) !== '[{"status":"FAILED"},{"status":"SUCCEEDED"}]');
    expect((await call('again')).record.status).toBe('SUCCEEDED');
  });

  it('for an odd name, the name is made storable', async () => {
    const log = new CallLog(world.database.url);
    const row: ToolCall = {
      ...running(), callerName: 'a\u0000b\ud800', enrollmentLabel: '"\\', status: 'FAILED',
      error: { code: 'PROTOCOL_ERROR', message: 'cut \ud83d', retryable: false, retryAfterMs: null, action: null }, finishedAt: new Date(), durationMs: 1.5,
    };
    await log.write([row], true);
    expect(await world.query(`select caller_name, enrollment_label, error->>'message' as message from tool_calls where id = $1`, [row.id])).toEqual([{ caller_name: 'a\ufffdb\ufffd', enrollment_label: '"\\', message: 'cut \ufffd' }]);
    await log.close();
  });

  it('for an end whose beginning was never stored, the whole row is; and an end replaces RUNNING or OUTCOME_UNKNOWN, and no other end', async () => {
    const log = new CallLog(world.database.url);
    const [begun, unknown, over, lost, stillRunning] = [running(), running(), running(), running(), running()];
    const ended = (row: ToolCall, status: ToolCall['status']): ToolCall => ({ ...row, status, finishedAt: new Date(), durationMs: 2 });
    await log.write([begun, ended(unknown, 'OUTCOME_UNKNOWN'), ended(over, 'CANCELLED')], true);
    await log.write([ended(begun, 'SUCCEEDED'), ended(unknown, 'TOOL_ERROR'), ended(over, 'SUCCEEDED'), ended(lost, 'FAILED'), stillRunning], false);
    const rows = await world.query(`select id, status, caller_name from tool_calls where id = any($1)`, [[begun, unknown, over, lost, stillRunning].map(({ id }) => id)]) as { id: string; status: string; caller_name: string }[];
    const statusOf = ({ id }: ToolCall): string | undefined => rows.find((row) => row.id === id)?.status;
    expect([begun, unknown, over, lost, stillRunning].map(statusOf)).toEqual(['SUCCEEDED', 'TOOL_ERROR', 'CANCELLED', 'FAILED', 'RUNNING']);
    expect(rows.every((row) => row.caller_name === 'ada')).toBe(true);
    await log.write([begun], false);
    expect(await world.query('select status from tool_calls where id = $1', [begun.id])).toEqual([{ status: 'SUCCEEDED' }]);
    await log.close();
  });
});

it('forty thousand ends that have gathered while the database was away are written', async () => {
  const log = new CallLog(world.database.url);
  const rows = Array.from({ length: 40_000 }, running);
  await log.write(rows, true);
  await log.close();
  // A connection that has just been made plans each statement for its values, by what the table is known to hold; all of these at once took longer than a statement may.
  await world.query('analyze tool_calls');
  const anew = new CallLog(world.database.url);
  await anew.write(rows.map((row) => ({ ...row, status: 'SUCCEEDED' as const, finishedAt: new Date(), durationMs: 1 })), false);
  expect(await world.query(`select count(*)::int as left from tool_calls where process_id = any($1) and status = 'RUNNING'`, [rows.map((row) => row.processId)])).toEqual([{ left: 0 }]);
  await anew.close();
});

/** The row that a call begins with. */
function running(): ToolCall {
  return {
    id: newId(), teamId: world.team.id, processId: newId(), callerId: ada.memberId, callerName: 'ada', onBehalfOfId: null, onBehalfOfName: null, tokenId: null, requestId: 'r',
    connectionTypeId: type.id, connectionTypeName: 'stock', enrollmentId: newId(), enrollmentLabel: '', tool: 'echo', status: 'RUNNING', error: null,
    startedAt: new Date(), finishedAt: null, durationMs: null, kept: false, cancelRequestedAt: null, assignmentId: null, assignmentName: null, progress: null,
  };
}

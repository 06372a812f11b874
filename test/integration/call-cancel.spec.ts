import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { refusal } from '#test/support/calls/refusal.js';
import { CallWorld, type Caller } from '#test/support/calls/world.js';
import { until } from '#test/support/mcp-servers/until.js';

let world: CallWorld;
let server: GatedServer;
let type: ConnectionType;
let ada: Caller;

beforeAll(async () => {
  server = await startGated();
  world = await CallWorld.create();
  ada = await world.caller('ada');
  type = await world.type({ serverUrl: server.url });
  await world.enroll(type, ada);
});
afterAll(async () => {
  await world.close();
  await server.close();
});
beforeEach(() => { server.calls.length = 0; });

const CANCELLED_AT_WORK = { status: 'OUTCOME_UNKNOWN', error: { code: 'TIMEOUT', retryable: false } };

describe('a caller who goes away', () => {
  it('cancels a call that has no key and was waited for', async () => {
    const leaving = new AbortController();
    const call = ada.call({ tool: 'echo', signal: leaving.signal });
    const arrived = await server.arrived(1);
    leaving.abort();
    expect((await call).record).toMatchObject(CANCELLED_AT_WORK);
    await until(() => arrived.gone());
  });

  it('before anything was sent has cancelled it for certain', async () => {
    const gone = AbortSignal.abort();
    const view = await ada.call({ tool: 'echo', signal: gone });
    expect(view.record).toMatchObject({ status: 'CANCELLED', error: null });
    expect(await world.service.get(ada.principal, view.record.id)).toMatchObject({ record: { status: 'CANCELLED' } });
    expect(server.calls).toEqual([]);
  });

  it.each([['with a key', { idempotencyKey: 'stays' }], ['that nobody waits for', { wait: false }]])('doesn\'t cancel a call %s', async (_name, asked) => {
    const leaving = new AbortController();
    const call = ada.call({ tool: 'echo', signal: leaving.signal, ...asked });
    const arrived = await server.arrived(1);
    leaving.abort();
    arrived.answer();
    const { record } = await call;
    await eventually(async () => (await world.service.get(ada.principal, record.id))?.record.status === 'SUCCEEDED');
  });
});

describe('cancelToolCall', () => {
  it('ends a call of this process', async () => {
    const call = ada.call({ tool: 'echo', idempotencyKey: 'here' });
    const arrived = await server.arrived(1);
    const { id } = (await running())[0]!;
    expect((await world.service.cancel(ada.principal, id)).record).toMatchObject(CANCELLED_AT_WORK);
    expect((await call).record).toMatchObject({ id, ...CANCELLED_AT_WORK });
    await until(() => arrived.gone());
    expect((await world.service.cancel(ada.principal, id)).record).toMatchObject({ id, ...CANCELLED_AT_WORK });
  });

  it('ends a call of another process', async () => {
    const other = await world.process();
    const call = ada.call({ tool: 'echo', wait: false }, other.service);
    await server.arrived(1);
    const { record } = await call;
    expect((await world.service.cancel(ada.principal, record.id)).record).toMatchObject({ id: record.id, ...CANCELLED_AT_WORK });
  });

  it('ends one whose process doesn\'t hear notifications, at its next heartbeat', async () => {
    const other = await world.process();
    const { record } = await ada.call({ tool: 'echo', wait: false }, other.service);
    await server.arrived(1);
    await world.query(`update tool_calls set cancel_requested_at = now() where id = $1`, [record.id]);
    await eventually(async () => (await world.service.get(ada.principal, record.id))?.record.status === 'OUTCOME_UNKNOWN');
  });

  it('is for the caller and managers; to others there is no such call', async () => {
    const { record } = await ada.call({ tool: 'echo', wait: false });
    await server.arrived(1);
    const bob = await world.caller('bob');
    for (const id of [record.id, '018f0000-0000-7000-8000-000000000000', 'no-uuid']) {
      expect(await refusal(world.service.cancel(bob.principal, id))).toMatchObject({ code: 'NOT_FOUND', field: ['input', 'id'] });
    }
    const manager = await world.caller('manager', 'MANAGER');
    expect(await world.service.cancel(manager.principal, record.id)).toMatchObject({ record: CANCELLED_AT_WORK, arguments: null, content: null });
  });
});

describe('a process', () => {
  it('that stops finishes what it has, and cancels what takes longer than its grace', async () => {
    const [patient, hasty] = [await world.process(), await world.process()];
    const quick = ada.call({ tool: 'echo' }, patient.service);
    const first = await server.arrived(1);
    const slow = ada.call({ tool: 'echo', idempotencyKey: 'slow' }, hasty.service);
    await server.arrived(2);
    const stopping = [patient.service.stop(60_000), hasty.service.stop(50)];
    expect((await slow).record).toMatchObject(CANCELLED_AT_WORK);
    first.answer();
    expect((await quick).record.status).toBe('SUCCEEDED');
    await Promise.all(stopping);
    for (const { service } of [patient, hasty]) expect(await refusal(ada.call({ tool: 'echo' }, service))).toMatchObject({ code: 'OVERLOADED', retryable: true });
    expect(await running()).toEqual([]);
    expect(await world.query('select 1 from processes where pid = $1', [process.pid])).not.toHaveLength(0);
  });

  it('that has been silent for 15 seconds leaves its calls as OUTCOME_UNKNOWN, and its own word wins if it lives after all', async () => {
    const other = await world.process();
    const { record } = await ada.call({ tool: 'echo', wait: false, idempotencyKey: 'silent' }, other.service);
    const arrived = await server.arrived(1);
    // It goes on beating, and other processes end calls of silent ones with their beats too.
    await until(async () => {
      await world.query('delete from processes where id = $1', [record.processId]);
      await world.service.adoptOrphans();
      return (await running()).length === 0;
    });
    expect((await ada.call({ tool: 'echo', idempotencyKey: 'silent' })).record).toMatchObject({ id: record.id, status: 'OUTCOME_UNKNOWN', error: { retryable: false, message: expect.stringContaining('may have run') } });
    arrived.answer();
    await eventually(async () => (await world.service.get(ada.principal, record.id))?.record.status === 'SUCCEEDED');
  });

  it('deletes what is no longer kept', async () => {
    await world.query(`update idempotency_keys set expires_at = now()`);
    await world.query(`update tool_call_payloads set expires_at = now()`);
    const other = await world.process();
    await eventually(async () => (await world.query('select 1 from idempotency_keys union all select 1 from tool_call_payloads')).length === 0);
    await other.service.stop(0);
  });
});

function running(): Promise<{ id: string }[]> {
  return world.query(`select id from tool_calls where status = 'RUNNING' order by id desc`);
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

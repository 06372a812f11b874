import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { refusal } from '#test/support/calls/refusal.js';
import { CallWorld, ECHO, type AskedCall, type Caller } from '#test/support/calls/world.js';

let world: CallWorld;
let server: GatedServer;
let type: ConnectionType;
let ada: Caller;
let keys = 0;

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

const asked = (values: Partial<AskedCall> = {}): AskedCall => ({ tool: 'echo', arguments: { nonce: 'n' }, idempotencyKey: `key-${keys}`, ...values });
async function answered(values: Partial<AskedCall> = {}) {
  const call = ada.call(asked(values));
  (await server.arrived(1)).answer();
  return call;
}
afterEach(() => { keys++; });

describe('the same key with the same request', () => {
  it('gives the stored outcome, and the tool runs once', async () => {
    const first = await answered();
    expect(first).toMatchObject({ record: { status: 'SUCCEEDED' }, contentState: 'AVAILABLE', content: [{ type: 'text', text: 'done' }] });
    const again = await ada.call(asked({ arguments: { nonce: 'n' }, timeoutMs: 5000 }));
    expect(again).toMatchObject({ record: { id: first.record.id, status: 'SUCCEEDED' }, contentState: 'AVAILABLE', content: [{ type: 'text', text: 'done' }], arguments: { nonce: 'n' } });
    expect(server.calls).toHaveLength(1);
  });

  it('waits for the call that is running, here or in another process', async () => {
    const other = await world.process();
    const first = ada.call(asked());
    await server.arrived(1);
    const here = ada.call(asked());
    const there = ada.call(asked(), other.service);
    const running = await ada.call(asked({ wait: false }), other.service);
    expect(running).toMatchObject({ record: { status: 'RUNNING' }, content: null, arguments: { nonce: 'n' } });
    server.calls[0]!.answer();
    const views = await Promise.all([first, here, there]);
    expect(new Set(views.map((view) => view.record.id)).size).toBe(1);
    for (const view of views) expect(view).toMatchObject({ record: { status: 'SUCCEEDED' }, content: [{ text: 'done' }] });
    expect(server.calls).toHaveLength(1);
  });

  it('says that the call still runs when its own time is over', async () => {
    const first = ada.call(asked());
    await server.arrived(1);
    expect((await ada.call(asked({ timeoutMs: 20 }))).record.status).toBe('RUNNING');
    server.calls[0]!.answer();
    await first;
  });

  it('runs once, however many ask at the same time', async () => {
    const other = await world.process();
    const calls = Array.from({ length: 12 }, (_, index) => ada.call(asked(), index % 2 === 0 ? world.service : other.service));
    (await server.arrived(1)).answer();
    const views = await Promise.all(calls);
    expect(new Set(views.map((view) => view.record.id)).size).toBe(1);
    expect(server.calls).toHaveLength(1);
  });

  it('gives the stored failure too', async () => {
    const first = await answered().then(() => ada.call(asked({ idempotencyKey: 'hanging', timeoutMs: 1500 })));
    expect(first.record.status).toBe('OUTCOME_UNKNOWN');
    expect((await ada.call(asked({ idempotencyKey: 'hanging' }))).record).toMatchObject({ id: first.record.id, status: 'OUTCOME_UNKNOWN', error: { code: 'TIMEOUT' } });
  });

  it('finds its call though the tool is gone by then', async () => {
    const first = await answered();
    await world.tools(type, [{ ...ECHO, name: 'another' }]);
    expect((await ada.call(asked())).record.id).toBe(first.record.id);
    expect(await refusal(ada.call(asked({ idempotencyKey: 'fresh' })))).toMatchObject({ code: 'TOOL_UNKNOWN' });
    await world.tools(type, [ECHO]);
  });
});

describe('a key', () => {
  it.each<[string, Partial<AskedCall>]>([['arguments', { arguments: { nonce: 'other' } }], ['tool', { tool: 'unheard' }], ['type', { connectionType: 'other' }]])('is refused for other %s', async (_name, values) => {
    await answered();
    expect(await refusal(ada.call(asked(values)))).toMatchObject({ code: 'IDEMPOTENCY_MISMATCH', field: ['input', 'idempotencyKey'] });
    expect(server.calls).toHaveLength(1);
  });

  it('doesn\'t depend on the order of members', async () => {
    const first = await answered({ arguments: { nonce: 'n', more: { a: 1, b: 2 } } });
    expect((await ada.call(asked({ arguments: { more: { b: 2, a: 1 }, nonce: 'n' } }))).record.id).toBe(first.record.id);
  });

  it('is each person\'s own', async () => {
    const bob = await world.caller('bob');
    await world.enroll(type, bob, { label: `bob-${keys}` });
    const first = await answered();
    const theirs = bob.call(asked());
    (await server.arrived(2)).answer();
    expect((await theirs).record.id).not.toBe(first.record.id);
  });

  it('isn\'t consumed by a refusal', async () => {
    expect(await refusal(ada.call(asked({ arguments: { nonce: 7 } })))).toMatchObject({ code: 'ARGUMENTS_INVALID' });
    expect((await answered({ arguments: { nonce: 'n' } })).record.status).toBe('SUCCEEDED');
  });

  it('is free again after a day, and what was kept is gone then', async () => {
    const first = await answered();
    await world.query(`update idempotency_keys set expires_at = now() where key = $1`, [`key-${keys}`]);
    await world.query(`update tool_call_payloads set expires_at = now() where tool_call_id = $1`, [first.record.id]);
    expect(await world.service.get(ada.principal, first.record.id)).toMatchObject({ contentState: 'EXPIRED', content: null, arguments: null, record: { status: 'SUCCEEDED' } });
    const again = ada.call(asked({ arguments: { nonce: 'new' } }));
    (await server.arrived(2)).answer();
    expect((await again).record.id).not.toBe(first.record.id);
  });

  it('is on record before anything leaves, with arguments that only the vault opens', async () => {
    const call = ada.call(asked({ arguments: { nonce: 'secret-nonce' } }));
    await server.arrived(1);
    const [row] = await world.query<{ status: string; dump: string }>(`select c.status, (p::text || k::text || c::text) as dump from tool_calls c join tool_call_payloads p on p.tool_call_id = c.id join idempotency_keys k on k.tool_call_id = c.id where k.key = $1`, [`key-${keys}`]);
    expect(row?.status).toBe('RUNNING');
    expect(row?.dump).not.toContain(Buffer.from('secret-nonce').toString('hex'));
    expect(row?.dump).not.toContain('secret-nonce');
    server.calls[0]!.answer();
    await call;
  });
});

describe('a call that nobody waits for', () => {
  it('is on record at once, and its result can be read when it is there', async () => {
    const accepted = await ada.call({ tool: 'echo', arguments: { nonce: 'n' }, wait: false });
    expect(accepted).toMatchObject({ record: { status: 'RUNNING' }, contentState: 'AVAILABLE', content: null, arguments: { nonce: 'n' } });
    const call = await server.arrived(1);
    expect(await world.service.get(ada.principal, accepted.record.id)).toMatchObject({ record: { status: 'RUNNING' } });
    call.answer();
    let view = await world.service.get(ada.principal, accepted.record.id);
    while (view?.record.status === 'RUNNING') view = await world.service.get(ada.principal, accepted.record.id);
    expect(view).toMatchObject({ record: { status: 'SUCCEEDED' }, contentState: 'AVAILABLE', content: [{ text: 'done' }] });
  });
});

describe('a call on record', () => {
  it('shows arguments and result to its caller alone, itself to managers, and nothing to others', async () => {
    const first = await answered();
    const see = async (caller: Caller) => world.service.get(caller.principal, first.record.id);
    expect(await see(await world.caller('manager', 'MANAGER'))).toMatchObject({ record: { tool: 'echo', callerName: 'ada' }, contentState: 'AVAILABLE', arguments: null, content: null, structuredContent: null });
    expect(await see(await world.caller('bob'))).toBeNull();
    const others = await world.store.teams.insert(`others-${keys}`, 'Others');
    expect(await see(await world.caller('stranger', 'ADMIN', [others]))).toBeNull();
    expect(await world.service.get({ ...ada.principal, teamId: others.id }, first.record.id)).toBeNull();
    expect(await world.service.get(ada.principal, 'no-uuid')).toBeNull();
  });

  it('is listed newest first, for members their own and for managers all', async () => {
    const manager = await world.caller('manager', 'MANAGER');
    const bob = await world.caller('bob');
    const first = await answered({ idempotencyKey: null });
    const page = await world.service.list(ada.principal, world.team.id, {}, { first: 1, after: null });
    expect(page).toMatchObject({ rows: [{ id: first.record.id, status: 'SUCCEEDED' }], hasNextPage: true });
    const next = await world.service.list(ada.principal, world.team.id, {}, { first: 1, after: first.record.id });
    expect(next.rows[0]!.id < first.record.id).toBe(true);
    const mine = await world.service.count(ada.principal, world.team.id, {});
    expect(await world.service.count(manager.principal, world.team.id, {})).toBeGreaterThan(mine);
    expect(await world.service.count(bob.principal, world.team.id, { status: 'SUCCEEDED' })).toBe(1);
    expect(await world.service.count(ada.principal, world.team.id, { status: 'RUNNING' })).toBe(0);
    expect(await world.service.count(ada.principal, world.team.id, { connectionTypeId: type.id })).toBe(mine);
    const views = await world.service.views(ada.principal, [...page.rows, ...next.rows]);
    expect(views.map((view) => view.contentState)).toEqual(['NOT_KEPT', expect.any(String)]);
    const others = await world.store.teams.insert(`foreign-${keys}`, 'Foreign');
    expect(await world.service.list(ada.principal, others.id, {}, { first: 5, after: null })).toEqual({ rows: [], hasNextPage: false });
  });
});

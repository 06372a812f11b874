import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { refusal } from '#test/support/calls/refusal.js';
import { CallWorld, type Caller } from '#test/support/calls/world.js';

/** What keeps one server's trouble from being everybody's. */

let world: CallWorld;
let server: GatedServer;
let ada: Caller;
/** The time, which goes on when the test says so. */
let time = 0;

beforeAll(async () => {
  server = await startGated();
  world = await CallWorld.create({ clock: () => time });
  ada = await world.caller('ada');
});
afterAll(async () => {
  await world.close();
  await server.close();
});

it('a server that can\'t be reached is left alone after five failures, is asked by one call when the time is over, and is back when that one gets through', async () => {
  const gone = await startGated(() => ({ content: [] }));
  const type = await world.type({ serverUrl: gone.url }, undefined, { name: 'flaky' });
  await world.enroll(type, ada);
  const call = () => ada.call({ connectionType: 'flaky', tool: 'echo' });
  await gone.close();
  for (let failures = 0; failures < 5; failures++) expect((await call()).record).toMatchObject({ status: 'FAILED', error: { code: 'UNREACHABLE', retryable: true } });
  const open = await refusal(call());
  expect(open).toMatchObject({ code: 'CIRCUIT_OPEN', retryable: true, retryAfterMs: 5000 });

  time += 5000;
  const [probe, others] = await Promise.all([call(), refusal(call())]);
  expect(probe.record).toMatchObject({ status: 'FAILED', error: { code: 'UNREACHABLE' } });
  expect(others).toMatchObject({ code: 'CIRCUIT_OPEN' });
  expect((await refusal(call())).retryAfterMs).toBe(10_000);

  time += 10_000;
  const back = await startGated(() => ({ content: [] }));
  try {
    // Another address is another server, whose circuit is closed.
    await world.change(type, { serverUrl: back.url });
    await world.query('delete from enrollments where connection_type_id = $1', [type.id]);
    await world.enroll((await world.store.connectionTypes.byId(type.id))!, ada);
    expect((await call()).record.status).toBe('SUCCEEDED');
  } finally {
    await back.close();
  }
});

it('a server that hangs holds no more calls than their results have room for, and no other server\'s', async () => {
  const MIB = 1024 * 1024;
  const type = await world.type({ serverUrl: server.url, calls: { maxResultBytes: 16 * MIB } }, undefined, { name: 'hanging' });
  const fine = await world.type({ serverUrl: server.url }, undefined, { name: 'fine' });
  await world.enroll(type, ada);
  await world.enroll(fine, ada);
  const held = Array.from({ length: 16 }, () => ada.call({ connectionType: 'hanging', tool: 'echo' }));
  await server.arrived(16);
  expect(await refusal(ada.call({ connectionType: 'hanging', tool: 'echo' }))).toMatchObject({ code: 'OVERLOADED', retryable: true, retryAfterMs: 500 });
  const other = ada.call({ connectionType: 'fine', tool: 'echo' });
  (await server.arrived(17)).answer();
  expect((await other).record.status).toBe('SUCCEEDED');
  for (const call of server.calls.slice(0, 16)) call.answer();
  for (const { record } of await Promise.all(held)) expect(record.status).toBe('SUCCEEDED');
  expect(await world.service.count(ada.principal, world.team.id, { status: 'RUNNING' })).toBe(0);
});

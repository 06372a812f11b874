import { rawNumber } from '#core/json/raw-json.js';
import type { RawTool } from '#core/mcp/session.js';
import { startGated } from '#test/support/calls/gated-server.js';
import { CallWorld, ECHO, type Caller } from '#test/support/calls/world.js';
import { startMinimal } from '#test/support/mcp-servers/minimal.js';
import { startDual, startModern } from '#test/support/mcp-servers/sdk-server.js';
import { BIG_INTEGER, HOLOGRAM, PIXEL, TEST_TOOLS } from '#test/support/mcp-servers/test-tools.js';

let world: CallWorld;
let ada: Caller;
const servers: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  world = await CallWorld.create();
  ada = await world.caller('ada');
});
afterAll(async () => {
  await world.close();
  for (const server of servers) await server.close();
});

async function started<T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  servers.push(server);
  return server;
}

it('a call carries the credential, answers with the content, and is on record', async () => {
  const server = await started(startGated((call) => ({ content: [{ type: 'text', text: JSON.stringify(call.arguments) }] })));
  const type = await world.type({ serverUrl: server.url });
  const enrollment = await world.enroll(type, ada, { label: 'mine' });
  const view = await ada.call({ tool: 'echo', arguments: { nonce: 'n1' } });
  expect(view).toMatchObject({ contentState: 'AVAILABLE', arguments: { nonce: 'n1' }, content: [{ type: 'text', text: '{"nonce":"n1"}' }], structuredContent: null });
  expect(view.record).toMatchObject({ status: 'SUCCEEDED', error: null, tool: 'echo', callerName: 'ada', connectionTypeName: 'stock', enrollmentId: enrollment.id, enrollmentLabel: 'mine' });
  expect(server.calls.map((call) => call.authorization)).toEqual(['Bearer canary-token-4711']);
  expect(await world.service.get(ada.principal, view.record.id)).toMatchObject({ record: { status: 'SUCCEEDED' }, contentState: 'NOT_KEPT', content: null, arguments: null });
  expect(await world.query('select status, tool, finished_at is not null as finished, duration_ms > 0 as took from tool_calls where id = $1', [view.record.id])).toEqual([{ status: 'SUCCEEDED', tool: 'echo', finished: true, took: true }]);
  expect(await ada.call({ tool: 'echo', connectionTypeId: type.id, enrollmentId: enrollment.id })).toMatchObject({ record: { status: 'SUCCEEDED' } });
});

describe.each([['modern', startModern], ['dual', startDual]] as const)('a server of the SDK (%s)', (name, start) => {
  beforeAll(async () => {
    const server = await started(start());
    await world.enroll(await world.type({ serverUrl: server.url, authMethod: 'NONE' }, TEST_TOOLS as unknown as RawTool[], { name }), ada);
  });

  it.each<[string, object, object]>([
    ['echo', { message: 'ahoy' }, { content: [{ type: 'text', text: 'ahoy' }] }],
    ['structured', {}, { structuredContent: { answer: 42 } }],
    ['image', {}, { content: [{ type: 'image', data: PIXEL, mimeType: 'image/png' }] }],
    ['audio', {}, { content: [{ type: 'audio', data: 'UklGRg==', mimeType: 'audio/wav' }] }],
    ['link', {}, { content: [{ type: 'resource_link', uri: 'test://stock', name: 'stock', mimeType: 'text/csv' }] }],
    ['embedded', {}, { content: [{ resource: { text: 'note' } }, { resource: { blob: 'AAEC' } }] }],
    ['unknown-block', {}, { content: [HOLOGRAM] }],
    ['slow', { ms: 5 }, { content: [{ type: 'text', text: 'done' }] }],
    ['regional', { region: 'Île', where: { zone: 7 } }, { content: [{ type: 'text', text: '{"region":"Île","where":{"zone":7}}' }] }],
  ])('gives what %s answers, values unchanged', async (tool, args, expected) => {
    const view = await ada.call({ tool, connectionType: name, arguments: args as Record<string, unknown> });
    expect(view).toMatchObject({ record: { status: 'SUCCEEDED', error: null }, ...expected });
  });

  it('gives integers beyond 2^53 as they came, also from what was kept', async () => {
    const asked = { tool: 'big-integers', connectionType: name, idempotencyKey: `big-${name}`, arguments: { id: rawNumber('12345678901234567890') } };
    for (const view of [await ada.call(asked), await ada.call(asked)]) {
      expect(JSON.stringify(view.structuredContent)).toBe(`{"id":${BIG_INTEGER},"list":[1,${BIG_INTEGER}]}`);
      expect(JSON.stringify(view.arguments)).toBe('{"id":12345678901234567890}');
    }
  });

  it('tells a tool\'s own failure from ours', async () => {
    expect(await ada.call({ tool: 'failing', connectionType: name })).toMatchObject({ record: { status: 'TOOL_ERROR', error: null }, content: [{ type: 'text', text: 'the shelf is empty' }] });
  });
});

it('a session that the server forgot is opened again, and the call is made once', async () => {
  const server = await started(startMinimal({ stateful: true }));
  await world.enroll(await world.type({ serverUrl: server.url }, [ECHO], { name: 'forgetful' }), ada);
  await ada.call({ tool: 'echo', connectionType: 'forgetful' });
  server.forget();
  expect(await ada.call({ tool: 'echo', connectionType: 'forgetful', arguments: { nonce: 'again' } })).toMatchObject({ record: { status: 'SUCCEEDED' }, content: [{ text: '{"nonce":"again"}' }] });
  expect(server.counts.calls).toBe(2);
});

it('a result is scrubbed of the credential', async () => {
  const server = await started(startGated((call) => ({ content: [{ type: 'text', text: `you are ${call.authorization}, ${Buffer.from('canary-token-4711').toString('base64')}` }], structuredContent: { [`${call.authorization}`]: 1 } })));
  await world.enroll(await world.type({ serverUrl: server.url }, [ECHO], { name: 'mirror' }), ada);
  const view = await ada.call({ tool: 'echo', connectionType: 'mirror', idempotencyKey: 'mirror' });
  expect(JSON.stringify(view)).not.toMatch(/canary-token|Y2FuYXJ5LXRva2Vu/);
  expect(JSON.stringify(await world.service.get(ada.principal, view.record.id))).not.toMatch(/canary-token|Y2FuYXJ5LXRva2Vu/);
  expect(view.content).toEqual([{ type: 'text', text: expect.stringContaining('you are ') }]);
});

it('a shared enrollment serves a teammate, and a new credential is used from the next call on', async () => {
  const server = await started(startGated(() => ({ content: [] })));
  const type = await world.type({ serverUrl: server.url }, [ECHO], { name: 'shared' });
  const manager = await world.caller('manager', 'MANAGER');
  await world.enroll(type, manager, { shared: true, token: 'token-of-the-team' });
  await ada.call({ tool: 'echo', connectionType: 'shared' });
  await world.enroll(type, ada, { token: 'token-of-ada-alone' });
  await ada.call({ tool: 'echo', connectionType: 'shared' });
  expect(server.calls.map((call) => call.authorization)).toEqual(['Bearer token-of-the-team', 'Bearer token-of-ada-alone']);
});

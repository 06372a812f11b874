import { newId } from '#core/store/ids.js';
import type { ConnectionType } from '#core/store/entities/connection-type.entity.js';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { CallWorld, type CallProcess, type Caller } from '#test/support/calls/world.js';
import type { TestListener } from '#test/support/mcp-servers/listener.js';
import { startScripted, type Exchange } from '#test/support/mcp-servers/scripted.js';
import { startModern } from '#test/support/mcp-servers/sdk-server.js';
import { until } from '#test/support/mcp-servers/until.js';

/** Calls that take long: how far they are, and their end, seen from another process than the one that makes them. */

let world: CallWorld;
let other: CallProcess;
let ada: Caller;
let mia: Caller;
let gated: GatedServer;
const servers: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  world = await CallWorld.create();
  other = await world.process();
  [ada, mia] = [await world.caller('ada'), await world.caller('mia', 'MANAGER')];
  servers.push(gated = await startGated());
});
afterAll(async () => {
  await world.close();
  await Promise.all(servers.map((server) => server.close()));
});

const look = (id: string) => world.service.get(ada.principal, id);

describe.each([
  ['LEGACY', () => startScripted({ tools: { slow: slowly } })],
  ['MODERN', startModern],
] as const)('a call to a server of the %s era that nobody waits for', (era, start) => {
  const asked = { tool: 'slow', arguments: { ms: 50_000 } };
  let server: TestListener;
  let type: ConnectionType;
  beforeAll(async () => {
    servers.push(server = await start());
    type = await world.type({ serverUrl: server.url }, [{ name: asked.tool, inputSchema: { type: 'object' } }], { name: era.toLowerCase() });
    await world.enroll(type, ada);
  });

  it('answers at once, and is cancelled through any process, down to the server', async () => {
    const { record } = await ada.call({ connectionType: type.name, ...asked, wait: false }, other.service);
    expect(record).toMatchObject({ status: 'RUNNING', finishedAt: null });
    await until(() => server.seen.some(({ body }) => (body as { method?: string } | null)?.method === 'tools/call'));
    const connections = server.connections();
    const { record: ended } = await world.service.cancel(ada.principal, record.id);
    expect(ended).toMatchObject({ id: record.id, status: 'OUTCOME_UNKNOWN', error: { code: 'TIMEOUT', retryable: false } });
    // Older servers are told; newer ones take the closed connection for it.
    if (era === 'LEGACY') await until(() => server.seen.some(({ body }) => (body as { method?: string } | null)?.method === 'notifications/cancelled'));
    else await until(() => server.connections() < connections);
  });

  it('says how far it is, to its caller and not to managers', async () => {
    const { record } = await ada.call({ connectionType: type.name, ...asked, arguments: { ms: 250 }, wait: false }, other.service);
    await until(async () => (await look(record.id))?.progress != null);
    const { progress } = (await look(record.id))!;
    expect(progress).toMatchObject({ progress: expect.any(Number), total: expect.any(Number), updatedAt: expect.any(String) });
    expect((await world.service.get(mia.principal, record.id))?.progress ?? null).toBeNull();
    await until(async () => (await look(record.id))?.record.status === 'SUCCEEDED');
  });
});

it('what a server says of its progress is kept without the credential and the arguments, and not more often than twice a second', async () => {
  const type = await world.type({ serverUrl: gated.url }, undefined, { name: 'notes' });
  await world.enroll(type, ada);
  const { ProgressNotes } = await import('#api/call/progress-notes.js');
  const written: unknown[] = [];
  const notes = new ProgressNotes({ calls: { noteProgress: async (_id, note) => void written.push(note) }, gapMs: 60_000, now: () => new Date(0), logger: undefined as never });
  const note = notes.of({ record: { id: 'a' }, route: { scrubber: { text: (text: string) => text.replace('key-4711', '***') } }, arguments: { note: 'a private matter' } } as never);
  note.said({ progress: 1, total: 3, message: 'key-4711 read\nagain' });
  note.said({ progress: 2, total: 3, message: 'at a private matter' });
  await note.stop();
  expect(written).toEqual([{ progress: 1, total: 3, message: '*** read again', updatedAt: '1970-01-01T00:00:00.000Z' }]);
});

it('a process that dies between an approval and the answer leaves the call on record, and nobody runs it again', async () => {
  const type = await world.type({ serverUrl: gated.url }, undefined, { name: 'approved' });
  await world.enroll(type, ada);
  const { id } = await world.store.assignments.insert(world.team.id, 'job', [{ connectionTypeId: type.id, allowedTools: null, requireApproval: ['*'] }]);
  const { record } = await ada.call({ connectionType: 'approved', tool: 'echo', assignmentId: id, wait: false });
  expect(record).toMatchObject({ status: 'PENDING_APPROVAL', assignmentName: 'job' });
  // Approved by a process that got no further than that; while it is on record as living, nobody ends its calls.
  const died = newId();
  await world.query(`insert into processes (id, host, pid, heartbeat_at) values ($1, 'elsewhere', 4711, now() + interval '1 hour')`, [died]);
  const [tool] = await world.query<{ scope: string; hash: string }>('select scope_id as scope, definition_hash as hash from tools where connection_type_id = $1', [type.id]);
  const approved = await world.store.approvals.approve(record.id, died, { byId: mia.memberId, byName: 'mia', comment: null }, {
    connectionTypeId: type.id, specVersion: 1, enrollmentId: record.enrollmentId, personId: ada.memberId, credentialVersion: 1, toolScopeId: tool!.scope, tool: 'echo', definitionHash: tool!.hash,
    assignment: { id, version: 1 }, callerId: ada.memberId, tokenId: null,
  });
  expect(approved).toBe(true);
  expect(await look(record.id)).toMatchObject({ record: { status: 'RUNNING', processId: died } });
  await world.query('delete from processes where id = $1', [died]);
  // Any process that lives ends it, with its next beat or now.
  await until(async () => {
    await world.service.adoptOrphans();
    return (await look(record.id))?.record.status !== 'RUNNING';
  });
  expect(await look(record.id)).toMatchObject({ record: { status: 'OUTCOME_UNKNOWN', error: { retryable: false } }, approval: { state: 'APPROVED', decidedByName: 'mia' } });
  expect(gated.calls).toEqual([]);
});

/** Works for `ms`, telling its progress in an event stream. */
function slowly({ request, response, message }: Exchange): void {
  const { _meta, arguments: args } = message.params as { _meta?: { progressToken?: unknown }; arguments: { ms: number } };
  const send = (body: object): void => void response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...body })}\n\n`);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let part = 0;
  const timer = setInterval(() => {
    part += 1;
    if (_meta?.progressToken !== undefined) send({ method: 'notifications/progress', params: { progressToken: _meta.progressToken, progress: part, total: 5, message: `${part} of 5` } });
    if (part < 5) return;
    clearInterval(timer);
    send({ id: message.id, result: { content: [{ type: 'text', text: 'done' }] } });
    response.end();
  }, args.ms / 5);
  request.socket.on('close', () => clearInterval(timer));
}

import type { RawTool } from '#core/mcp/session.js';
import { startGated } from '#test/support/calls/gated-server.js';
import { refusal } from '#test/support/calls/refusal.js';
import { CallWorld, ECHO, type Caller } from '#test/support/calls/world.js';
import { startMisbehaving, type Misbehaviour } from '#test/support/mcp-servers/misbehaving.js';

let world: CallWorld;
let ada: Caller;
const due: string[] = [];
const servers: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  world = await CallWorld.create({ due: async ({ id }) => { due.push(id); } });
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

describe('a call to a server', () => {
  it.each<[Misbehaviour, string, string | null, object]>([
    ['closes', 'OUTCOME_UNKNOWN', 'UNREACHABLE', {}],
    ['resets', 'OUTCOME_UNKNOWN', 'UNREACHABLE', {}],
    ['cuts-stream', 'OUTCOME_UNKNOWN', 'UNREACHABLE', {}],
    ['garbage', 'OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', {}],
    ['wrong-id', 'OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', {}],
    ['no-content', 'OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', {}],
    ['huge', 'OUTCOME_UNKNOWN', 'RESULT_TOO_LARGE', {}],
    ['hangs', 'OUTCOME_UNKNOWN', 'TIMEOUT', { timeoutMs: 1500 }],
    ['streams-for-ever', 'OUTCOME_UNKNOWN', 'TIMEOUT', { timeoutMs: 1500 }],
    ['input-required', 'FAILED', 'INPUT_REQUIRED', {}],
    ['task', 'FAILED', 'TASK_REQUIRED', {}],
    ['insufficient-scope', 'FAILED', 'INSUFFICIENT_SCOPE', {}],
    ['rate-limited', 'FAILED', 'UNREACHABLE', {}],
    ['reflects-credential', 'FAILED', 'PROTOCOL_ERROR', {}],
    ['html', 'FAILED', 'PROTOCOL_ERROR', {}],
    ['not-found', 'FAILED', 'PROTOCOL_ERROR', {}],
    ['server-error', 'FAILED', 'UNREACHABLE', {}],
    ['hangs-always', 'FAILED', 'TIMEOUT', { timeoutMs: 1500 }],
    ['server-requests', 'SUCCEEDED', null, {}],
    ['resumes-stream', 'SUCCEEDED', null, {}],
    ['forgets-sessions', 'SUCCEEDED', null, {}],
  ])('that %s is %s (%s)', async (kind, status, code, asked) => {
    const server = await started(startMisbehaving(kind));
    await world.enroll(await world.type({ serverUrl: server.url }, [ECHO], { name: kind }), ada);
    const view = await ada.call({ tool: 'echo', connectionType: kind, ...asked });
    expect(view.record.status).toBe(status);
    expect(view.record.error?.code ?? null).toBe(code);
    if (status === 'OUTCOME_UNKNOWN') expect(view.record.error).toMatchObject({ retryable: false, message: expect.stringContaining('may have run') });
    if (kind === 'rate-limited') expect(view.record.error).toMatchObject({ retryable: true, retryAfterMs: 3000 });
    if (kind === 'forgets-sessions') expect((await ada.call({ tool: 'echo', connectionType: kind })).record.status).toBe('SUCCEEDED');
    expect(JSON.stringify(view)).not.toContain('canary-token');
    const [stored] = await world.query('select status, error from tool_calls where id = $1', [(await world.service.get(ada.principal, view.record.id))!.record.id]);
    expect(stored).toEqual({ status, error: view.record.error });
  });

  it('that isn\'t there is FAILED and may be repeated, and its type becomes due', async () => {
    const server = await startGated();
    await server.close();
    const type = await world.type({ serverUrl: server.url }, [ECHO], { name: 'down' });
    await world.enroll(type, ada);
    expect((await ada.call({ tool: 'echo', connectionType: 'down' })).record).toMatchObject({ status: 'FAILED', error: { code: 'UNREACHABLE', retryable: true } });
    expect(due).toContain(type.id);
  });

  it('that only takes the tool as a task is never asked', async () => {
    const server = await started(startGated());
    await world.enroll(await world.type({ serverUrl: server.url }, [{ ...ECHO, execution: { taskSupport: 'required' } }], { name: 'task-only' }), ada);
    expect((await ada.call({ tool: 'echo', connectionType: 'task-only' })).record).toMatchObject({ status: 'FAILED', error: { code: 'TASK_REQUIRED', retryable: false } });
    expect(server.calls).toEqual([]);
  });
});

describe('a credential that the server refuses', () => {
  it('fails the call, and is not tried again', async () => {
    const server = await started(startMisbehaving('unauthorized-after'));
    const type = await world.type({ serverUrl: server.url }, [ECHO], { name: 'revoked' });
    const enrollment = await world.enroll(type, ada);
    server.allowCalls(1);
    expect((await ada.call({ tool: 'echo', connectionType: 'revoked' })).record.status).toBe('SUCCEEDED');
    expect((await ada.call({ tool: 'echo', connectionType: 'revoked' })).record).toMatchObject({ status: 'FAILED', error: { code: 'UNAUTHORIZED', retryable: false } });
    const seen = server.seen.length;
    expect(await refusal(ada.call({ tool: 'echo', connectionType: 'revoked' }))).toMatchObject({ code: 'ACTION_REQUIRED' });
    expect(server.seen).toHaveLength(seen);
    const [status] = await world.store.enrollments.statuses([enrollment.id]);
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Authorized', status: 'FALSE', reason: 'CredentialRejected', message: expect.stringContaining('enter a new one') }));
  });

  it('is left alone where it was replaced while the call was under way', async () => {
    const server = await started(startGated());
    const type = await world.type({ serverUrl: server.url }, [ECHO], { name: 'replaced' });
    const enrollment = await world.enroll(type, ada);
    const call = ada.call({ tool: 'echo', connectionType: 'replaced' });
    const arrived = await server.arrived(1);
    await world.query('update credentials set version = version + 1 where enrollment_id = $1', [enrollment.id]);
    arrived.refuse(401);
    expect((await call).record).toMatchObject({ status: 'FAILED', error: { code: 'UNAUTHORIZED' } });
    expect((await world.store.enrollments.statuses([enrollment.id]))[0]?.conditions).toEqual([]);
  });
});

describe('a result', () => {
  const typed: RawTool = { name: 'typed', inputSchema: { type: 'object' }, outputSchema: { type: 'object', properties: { answer: { type: 'integer' } }, required: ['answer'] } };
  const answer = { result: {} as object };
  beforeAll(async () => {
    const server = await started(startGated(() => answer.result));
    const unusable = { ...typed, name: 'unusable', outputSchema: { $ref: 'https://example.com/schema' } };
    await world.enroll(await world.type({ serverUrl: server.url, calls: { maxResultBytes: 2048 } }, [typed, unusable], { name: 'typed' }), ada);
  });
  const call = (tool = 'typed') => ada.call({ tool, connectionType: 'typed' });

  it('that matches the output schema comes through', async () => {
    answer.result = { content: [], structuredContent: { answer: 42 } };
    expect(await call()).toMatchObject({ record: { status: 'SUCCEEDED' }, structuredContent: { answer: 42 } });
  });
  it('that doesn\'t is FAILED, and says that the tool ran', async () => {
    answer.result = { content: [], structuredContent: { answer: 'many' } };
    expect(await call()).toMatchObject({ record: { status: 'FAILED', error: { code: 'RESULT_INVALID', retryable: false, message: expect.stringMatching(/tool ran.*\/answer must be integer/) } }, content: null });
    answer.result = { content: [] };
    expect(await call()).toMatchObject({ record: { error: { code: 'RESULT_INVALID' } } });
  });
  it('of a failure of the tool\'s own needs no structure', async () => {
    answer.result = { content: [{ type: 'text', text: 'no' }], isError: true };
    expect(await call()).toMatchObject({ record: { status: 'TOOL_ERROR' }, content: [{ text: 'no' }] });
  });
  it('isn\'t lost for an output schema that can\'t be used', async () => {
    answer.result = { content: [], structuredContent: { any: 1 } };
    expect(await call('unusable')).toMatchObject({ record: { status: 'SUCCEEDED' }, structuredContent: { any: 1 } });
  });
  it('over the cap is OUTCOME_UNKNOWN, one just under it comes through', async () => {
    answer.result = { content: [{ type: 'text', text: 'x'.repeat(1900) }], structuredContent: { answer: 1 } };
    expect(await call()).toMatchObject({ record: { status: 'SUCCEEDED' } });
    answer.result = { content: [{ type: 'text', text: 'x'.repeat(2100) }], structuredContent: { answer: 1 } };
    expect(await call()).toMatchObject({ record: { status: 'OUTCOME_UNKNOWN', error: { code: 'RESULT_TOO_LARGE' } } });
  });
});

describe('limits', () => {
  it('of a connection type refuse what is too much', async () => {
    const server = await started(startGated());
    const type = await world.type({ serverUrl: server.url, calls: { concurrency: 1 } }, [ECHO], { name: 'limited' });
    await world.enroll(type, ada);
    const running = ada.call({ tool: 'echo', connectionType: 'limited' });
    const first = await server.arrived(1);
    expect(await refusal(ada.call({ tool: 'echo', connectionType: 'limited' }))).toMatchObject({ code: 'OVERLOADED', retryable: true, retryAfterMs: expect.any(Number) });
    first.answer();
    await running;
    await world.change(type, { calls: { ...type.spec.calls, concurrency: null, ratePerMinute: 1 } });
    const second = ada.call({ tool: 'echo', connectionType: 'limited' });
    (await server.arrived(2)).answer();
    await second;
    expect(await refusal(ada.call({ tool: 'echo', connectionType: 'limited', idempotencyKey: 'unspent' }))).toMatchObject({ code: 'RATE_LIMITED', retryable: true });
    expect(await world.query('select 1 from idempotency_keys where key = $1', ['unspent'])).toEqual([]);
  });

  it('of time hold over everything, and the caller can only shorten them', async () => {
    const server = await started(startGated());
    await world.enroll(await world.type({ serverUrl: server.url, calls: { timeoutMs: 2500 } }, [ECHO], { name: 'slow' }), ada);
    const warming = ada.call({ tool: 'echo', connectionType: 'slow' });
    (await server.arrived(1)).answer();
    await warming;
    expect((await ada.call({ tool: 'echo', connectionType: 'slow', timeoutMs: 1500 })).record).toMatchObject({ status: 'OUTCOME_UNKNOWN', error: { code: 'TIMEOUT' } });
    expect((await ada.call({ tool: 'echo', connectionType: 'slow', timeoutMs: 3_000_000 })).record).toMatchObject({ status: 'OUTCOME_UNKNOWN', error: { code: 'TIMEOUT' } });
  });
});

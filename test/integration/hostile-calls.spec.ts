import { gzipSync } from 'node:zlib';
import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { startScripted, type Behaviour, type ScriptedServer } from '#test/support/mcp-servers/scripted.js';

const TEXT = { content: [{ type: 'text', text: 'fine' }] };
const MEBIBYTE = 1024 * 1024;

const raw = (type: string, body: string | Buffer, status = 200, headers: Record<string, string> = {}): Behaviour => ({ response }) => void response.writeHead(status, { 'content-type': type, ...headers }).end(body);
const json = (body: string | Buffer, headers?: Record<string, string>): Behaviour => raw('application/json', body, 200, headers);
const status = (code: number, headers: Record<string, string> = {}): Behaviour => ({ response }) => void response.writeHead(code, headers).end();

/** Writes for ever, as fast as it is taken. */
const pour = (type: string, head: string, piece: string): Behaviour => ({ response }) => {
  response.writeHead(200, { 'content-type': type }).write(head);
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
  };
  response.on('drain', more);
  more();
};

/** Writes a little now and then, for ever. */
const trickle = (type: string, head: string, piece: string): Behaviour => ({ response }) => {
  response.writeHead(200, { 'content-type': type }).write(head);
  const timer = setInterval(() => response.write(piece), 10);
  response.on('close', () => clearInterval(timer));
};

/** How a call ends: its status and, where it failed, its error's code and whether it is worth repeating. */
type End = [status: string, code?: string, retryable?: boolean];

/** Each tool of the hostile server, and how a call of it ends. */
const HOSTILE: Record<string, [Behaviour, End]> = {
  'closes': [({ request }) => void request.socket.end(), ['OUTCOME_UNKNOWN', 'UNREACHABLE', false]],
  'resets': [({ request }) => void request.socket.resetAndDestroy(), ['OUTCOME_UNKNOWN', 'UNREACHABLE', false]],
  'closes-in-the-body': [({ response }) => void response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' }).write('{"jsonrpc":', () => response.destroy()), ['OUTCOME_UNKNOWN', 'UNREACHABLE', false]],
  'hangs': [() => undefined, ['OUTCOME_UNKNOWN', 'TIMEOUT', false]],
  'hangs-after-the-head': [({ response }) => response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders(), ['OUTCOME_UNKNOWN', 'TIMEOUT', false]],
  'hangs-in-a-stream': [({ response }) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': wait\n\n'), ['OUTCOME_UNKNOWN', 'TIMEOUT', false]],
  'trickles-json': [trickle('application/json', '{', ' '), ['OUTCOME_UNKNOWN', 'TIMEOUT', false]],
  'trickles-events': [trickle('text/event-stream', ': \n\n', ': still here\n\n'), ['OUTCOME_UNKNOWN', 'TIMEOUT', false]],
  'pours-json': [pour('application/json', '{"a":"', 'x'.repeat(16_384)), ['OUTCOME_UNKNOWN', 'RESULT_TOO_LARGE', false]],
  'pours-events': [pour('text/event-stream', '', `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x'.repeat(1000) } })}\n\n`), ['OUTCOME_UNKNOWN', 'RESULT_TOO_LARGE', false]],
  'pours-one-event': [pour('text/event-stream', 'data: ', 'x'.repeat(16_384)), ['OUTCOME_UNKNOWN', 'RESULT_TOO_LARGE', false]],
  'a-bomb': [json(gzipSync(Buffer.alloc(64 * MEBIBYTE)), { 'content-encoding': 'gzip' }), ['OUTCOME_UNKNOWN', 'RESULT_TOO_LARGE', false]],
  '64-mib': [({ result }) => result({ content: [{ type: 'text', text: 'x'.repeat(64 * MEBIBYTE) }] }), ['OUTCOME_UNKNOWN', 'RESULT_TOO_LARGE', false]],
  'a-little-too-much': [({ result }) => result({ content: [{ type: 'text', text: 'x'.repeat(MEBIBYTE) }] }), ['OUTCOME_UNKNOWN', 'RESULT_TOO_LARGE', false]],
  'garbage': [json('Starting server…\n{"jsonrpc":'), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'nothing': [json(''), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'no-content-type': [({ response }) => void response.writeHead(200).end('{}'), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'a-web-page': [raw('text/html', '<title>Shop</title>'), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'no-http': [({ request }) => void request.socket.end('I am not\r\nan HTTP server\r\n\r\n'), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'null': [json('null'), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'a-number': [json('42'), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'another-id': [json('{"jsonrpc":"2.0","id":"not yours","result":{"content":[]}}'), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'no-result': [({ resultText }) => resultText('null'), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'a-list-for-a-result': [({ result }) => result([TEXT]), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'no-content': [({ result }) => result({ hello: 'world' }), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'content-that-is-no-list': [({ result }) => result({ content: { type: 'text', text: 'x' } }), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'deep': [({ resultText }) => resultText(`{"content":${'['.repeat(50_000)}${']'.repeat(50_000)}}`), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'an-unknown-kind': [({ result }) => result({ ...TEXT, resultType: 'surprise' }), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'an-error': [({ error }) => error(-32603, 'the shelf fell over'), ['FAILED', 'PROTOCOL_ERROR', false]],
  'an-ugly-error': [({ error }) => error(-32603, `\u0000\u001b[2J\u202e${'x'.repeat(100_000)}\ud800`, { a: '\u0000' }), ['FAILED', 'PROTOCOL_ERROR', false]],
  'an-error-without-a-text': [({ error }) => error(0, { no: 'text' }), ['FAILED', 'PROTOCOL_ERROR', false]],
  'asks-a-person': [({ result }) => result({ resultType: 'input_required', inputRequests: {}, requestState: 'x' }), ['FAILED', 'INPUT_REQUIRED', false]],
  'asks-for-a-url': [({ error }) => error(-32042, 'open this', { elicitations: [{ url: 'https://evil.example' }] }), ['FAILED', 'INPUT_REQUIRED', false]],
  'is-a-task': [({ result }) => result({ task: { taskId: 't1', status: 'working' } }), ['FAILED', 'TASK_REQUIRED', false]],
  'only-a-task': [({ result }) => result(TEXT), ['FAILED', 'TASK_REQUIRED', false]],
  '401': [status(401, { 'www-authenticate': 'Bearer error="invalid_token"' }), ['FAILED', 'UNAUTHORIZED', false]],
  '403': [status(403), ['FAILED', 'UNAUTHORIZED', false]],
  '403-scope': [status(403, { 'www-authenticate': 'Bearer error="insufficient_scope", scope="stock.write"' }), ['FAILED', 'INSUFFICIENT_SCOPE', false]],
  '404': [status(404), ['FAILED', 'PROTOCOL_ERROR', false]],
  '400': [raw('text/plain', 'bad\u0000\u001b[2J', 400), ['FAILED', 'PROTOCOL_ERROR', false]],
  '429': [status(429, { 'retry-after': '3' }), ['FAILED', 'UNREACHABLE', true]],
  '500': [status(500), ['OUTCOME_UNKNOWN', 'UNREACHABLE', false]],
  '503': [status(503, { 'retry-after': '99999999999999' }), ['OUTCOME_UNKNOWN', 'UNREACHABLE', false]],
  '204': [status(204), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  '202': [status(202), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  '302': [status(302, { location: 'http://169.254.169.254/' }), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  '999': [status(999), ['OUTCOME_UNKNOWN', 'PROTOCOL_ERROR', false]],
  'breaks-its-schema': [({ result }) => result({ content: [], structuredContent: { answer: 'no number' } }), ['FAILED', 'RESULT_INVALID', false]],
  'owes-structure': [({ result }) => result(TEXT), ['FAILED', 'RESULT_INVALID', false]],
  'its-own-failure': [({ result }) => result({ content: [{ type: 'text', text: 'the shelf is empty' }], isError: true }), ['TOOL_ERROR']],
  'fine': [({ result }) => result(TEXT), ['SUCCEEDED']],
  'fine-as-events': [({ response, message }) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${JSON.stringify({ jsonrpc: '2.0', id: message.id, result: TEXT })}\n\n`), ['SUCCEEDED']],
  'many-blocks': [({ result }) => result({ content: Array.from({ length: 5_000 }, () => ({ type: 'text', text: '' })) }), ['SUCCEEDED']],
  // In one megabyte; they would keep GraphQL busy for seconds.
  'half-a-million-blocks': [({ resultText }) => resultText(`{"content":[${'0,'.repeat(500_000)}0]}`), ['OUTCOME_UNKNOWN', 'RESULT_TOO_LARGE', false]],
};
const OUTPUT = { type: 'object', properties: { answer: { type: 'number' } }, required: ['answer'] };
const SPECIAL: Record<string, object> = { 'breaks-its-schema': { outputSchema: OUTPUT }, 'owes-structure': { outputSchema: OUTPUT }, 'only-a-task': { execution: { taskSupport: 'required' } } };

let api: TestApi;
let hostile: ScriptedServer;
let healthy: MinimalServer;
let ada: TestMember;

beforeAll(async () => {
  api = await startTestApi();
  healthy = await startMinimal();
  hostile = await startScripted({
    tools: Object.fromEntries(Object.entries(HOSTILE).map(([name, [behaviour]]) => [name, behaviour])),
    list: Object.keys(HOSTILE).map((name) => ({ name, inputSchema: { type: 'object' }, ...SPECIAL[name] })),
  });
  ada = await api.member('MANAGER');
  for (const [displayName, serverUrl] of [['Hostile', hostile.url], ['Healthy', healthy.url]]) {
    const { connectionType } = await ada.must('CreateConnectionType', { input: { team: 'default', displayName, serverUrl, authMethod: 'NONE' } });
    await ada.must('Enroll', { input: { connectionTypeId: connectionType.id } });
  }
});
afterAll(async () => {
  await api.stop();
  await Promise.all([hostile.close(), healthy.close()]);
});

/** Calls of a tool that reached the server. */
const made = (tool: string): number => hostile.seen.filter(({ body }) => (body as { params?: { name?: string } } | null)?.params?.name === tool).length;
const SLOW = /hang|trickle/;

describe.each([['with a key', true], ['without a key', false]])('a call %s', (_kind, keyed) => {
  const input = (tool: string) => ({ connectionType: 'hostile', tool, arguments: { nonce: 'n' }, ...(keyed && { idempotencyKey: `key-${tool}` }), ...(SLOW.test(tool) && { timeoutMs: 3_000 }) });
  /** Calls that last until their deadline, which is long enough for the call to be sent, whatever else the machine does: all begin at once. */
  const begun = new Map<string, ReturnType<TestMember['must']>>();
  beforeAll(() => {
    for (const tool of Object.keys(HOSTILE)) if (SLOW.test(tool)) begun.set(tool, ada.must('CallTool', { input: input(tool) }));
  });

  it.each(Object.entries(HOSTILE))('to a server that answers with %s ends as it should, on record too, and holds nobody up', async (tool, [, [status, code, retryable]]) => {
    const [{ toolCall }, beside] = await Promise.all([
      begun.get(tool) ?? ada.must('CallTool', { input: input(tool) }), ada.must('CallTool', { input: { connectionType: 'healthy', tool: 'echo', arguments: { nonce: `beside ${tool}` } } }),
    ]);
    expect(beside.toolCall).toMatchObject({ status: 'SUCCEEDED', content: [{ text: expect.stringContaining(`beside ${tool}`) }] });
    expect([toolCall.status, toolCall.error?.code, toolCall.error?.retryable]).toEqual([status, code, retryable]);
    if (code !== undefined) expect(toolCall.error.message).toMatch(/^[^\p{C}]{10,600}$/u);
    expect(toolCall.content === null).toBe(code !== undefined);

    const { data } = await ada.gql('ToolCall', { id: toolCall.id });
    expect(data.toolCall).toMatchObject({ status, error: toolCall.error, contentState: keyed ? 'AVAILABLE' : 'NOT_KEPT', content: keyed ? toolCall.content : null });
    if (!keyed) return;
    const calls = made(tool);
    expect((await ada.must('CallTool', { input: input(tool) })).toolCall).toMatchObject({ id: toolCall.id, status, error: toolCall.error });
    expect([calls, made(tool)]).toEqual([tool === 'only-a-task' ? 0 : 1, calls]);
  });
});

it('nothing of all that was a fault of ours, by the logs', () => {
  expect(api.logs().filter((line) => (JSON.parse(line) as { level: number }).level >= 50)).toEqual([]);
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestApi, type TestApi } from '#test/support/api.js';
import { ChangeableServer } from '#test/support/mcp-servers/changeable.js';
import { startMisbehaving, type Misbehaviour, type MisbehavingServer } from '#test/support/mcp-servers/misbehaving.js';
import { startDual, startModern } from '#test/support/mcp-servers/sdk-server.js';
import type { TestListener } from '#test/support/mcp-servers/listener.js';
import { refusalOf } from '#test/support/refusal.js';

let api: TestApi;
let open: ChangeableServer;
let guarded: ChangeableServer;
const wrong = new Map<Misbehaviour, MisbehavingServer>();
let modern: TestListener;
let dual: TestListener;

beforeAll(async () => {
  [api, open, guarded, modern, dual] = await Promise.all([
    startTestApi(), ChangeableServer.start(), ChangeableServer.start({ credential: { header: 'authorization', values: ['Bearer key-1234'] } }), startModern(), startDual(),
  ]);
  for (const kind of ['html', 'not-found', 'plain-json', 'sse-only', 'server-error', 'garbage-always'] as const) wrong.set(kind, await startMisbehaving(kind));
});
afterAll(async () => {
  await api.stop();
  await Promise.all([open.stop(), guarded.stop(), modern.close(), dual.close(), ...[...wrong.values()].map((server) => server.close())]);
});

let count = 0;
const input = (values: object) => ({ team: 'default', displayName: `Type ${++count}`, serverUrl: open.url, authMethod: 'NONE', ...values });
const create = async (values: object) => (await api.must('CreateConnectionType', { input: input(values) })).connectionType;
const refused = async (values: object) => refusalOf(await api.gql('CreateConnectionType', { input: input(values) }));
const conditionOf = (type: { conditions: { type: string }[] }, name: string) => type.conditions.find((one) => one.type === name);

describe('a connection type is refused, with the field and the next step, when', () => {
  it.each<[string, object, string[], RegExp]>([
    ['the display name is empty', { displayName: ' ' }, ['displayName'], /name that people/],
    ['the display name has a line break', { displayName: 'a\nb' }, ['displayName'], /line breaks/],
    ['the display name has half a character', { displayName: 'a\ud83d' }, ['displayName'], /control/],
    ['the description has a NUL', { description: 'a\u0000b' }, ['description'], /control/],
    ['the name is no DNS label', { name: 'Not_A_Label' }, ['name'], /DNS label/],
    ['no name can be derived', { displayName: '道具' }, ['name'], /give one/],
    ['the URL is no URL', { serverUrl: 'not a url' }, ['serverUrl'], /absolute URL/],
    ['the URL is a command', { serverUrl: 'npx -y some-server' }, ['serverUrl'], /URL/],
    ['the URL is of another scheme', { serverUrl: 'stdio://server' }, ['serverUrl'], /stdio/],
    ['the URL holds credentials', { serverUrl: 'https://user:secret@example.com/mcp' }, ['serverUrl'], /credentials/],
    ['the URL has a fragment', { serverUrl: 'https://example.com/mcp#x' }, ['serverUrl'], /#/],
    ['the URL is too long', { serverUrl: `https://example.com/${'x'.repeat(2100)}` }, ['serverUrl'], /2,048/],
    ['accessToken is given for another method', { accessToken: { header: 'X-Key' } }, ['accessToken'], /ACCESS_TOKEN/],
    ['headers are given for another method', { headers: [{ name: 'X-Key' }] }, ['headers'], /CUSTOM_HEADERS/],
    ['a header is declared twice', { authMethod: 'CUSTOM_HEADERS', headers: [{ name: 'X-Key' }, { name: 'x-key' }] }, ['headers', '1', 'name'], /twice/],
    ['a header\'s description has a NUL', { authMethod: 'CUSTOM_HEADERS', headers: [{ name: 'X-Key', description: '\u0000' }] }, ['headers', '0', 'description'], /control/],
    ['the prefix isn\'t printable', { authMethod: 'ACCESS_TOKEN', accessToken: { prefix: 'a\r\nb' } }, ['accessToken', 'prefix'], /Printable/],
    ['the interval is too short', { health: { intervalSeconds: 1 } }, ['health', 'intervalSeconds'], /At least 5/],
    ['the time limit of calls is too long', { calls: { timeoutMs: 600_001 } }, ['calls', 'timeoutMs'], /600,000/],
    ['the result cap is too small', { calls: { maxResultBytes: 10 } }, ['calls', 'maxResultBytes'], /1,024/],
    ['the concurrency is nothing', { calls: { concurrency: 0 } }, ['calls', 'concurrency'], /At least 1/],
    ['a tool pattern is empty', { toolPolicy: { deny: [''] } }, ['toolPolicy', 'deny', '0'], /pattern/],
    ['a tool pattern has a NUL', { toolPolicy: { allow: ['a\u0000'] } }, ['toolPolicy', 'allow', '0'], /control/],
  ])('%s', async (_what, values, field, message) => {
    const refusal = await refused(values);
    expect(refusal).toMatchObject({ code: 'INVALID', field: ['input', ...field], retryable: false });
    expect(refusal.message).toMatch(message);
  });

  it.each([
    'Host', 'Connection', 'Keep-Alive', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'Content-Type', 'content-length', 'Accept', 'Accept-Encoding', 'Cookie', 'Set-Cookie', 'Proxy-Authorization',
    'Forwarded', 'X-Forwarded-For', 'Last-Event-ID', 'Mcp-Session-Id', 'MCP-Protocol-Version', 'Bad Name', 'X-Bad:', 'X-Bad\r\nX-Injected', '', 'Ünicode',
  ])('a credential would go into the header %j', async (header) => {
    expect(await refused({ authMethod: 'ACCESS_TOKEN', accessToken: { header } })).toMatchObject({ code: 'INVALID', field: ['input', 'accessToken', 'header'] });
    expect(await refused({ authMethod: 'CUSTOM_HEADERS', headers: [{ name: 'X-Fine' }, { name: header }] })).toMatchObject({ code: 'INVALID', field: ['input', 'headers', '1', 'name'] });
  });

  it('it wants OAuth of a server without, or a client without OAuth', async () => {
    expect(await refused({ authMethod: 'OAUTH' })).toMatchObject({ code: 'OAUTH_NOT_SUPPORTED', field: ['input', 'authMethod'] });
    expect(await refused({ oauth: { clientId: 'x' } })).toMatchObject({ code: 'INVALID', field: ['input', 'oauth'] });
  });

  it.each<[Misbehaviour, RegExp]>([
    ['html', /web page/], ['not-found', /404/], ['plain-json', /not in the Model Context Protocol/], ['garbage-always', /mcp/i], ['sse-only', /HTTP\+SSE/],
  ])('the server is no streamable HTTP server of MCP: %s', async (kind, message) => {
    const refusal = await refused({ serverUrl: wrong.get(kind)!.url, allowUnreachable: true });
    expect(refusal).toMatchObject({ code: 'SERVER_REFUSED', field: ['input', 'serverUrl'], retryable: false });
    expect(refusal.message).toMatch(message);
  });

  it('the server wants a credential and the method sends none', async () => {
    expect(await refused({ serverUrl: guarded.url })).toMatchObject({ code: 'SERVER_REFUSED', field: ['input', 'authMethod'] });
  });

  it('its name is taken in the team, and not when it is taken in another', async () => {
    await create({ displayName: 'Warehouse API' });
    expect(await refused({ displayName: 'Warehouse API!' })).toMatchObject({ code: 'ALREADY_EXISTS', field: ['input', 'name'] });
    expect(await refused({ name: 'warehouse-api' })).toMatchObject({ code: 'ALREADY_EXISTS', field: ['input', 'name'] });
    const { slug } = await api.team('neighbours');
    expect((await create({ team: slug, displayName: 'Warehouse API' })).name).toBe('warehouse-api');
  });

  it('it is the second of two that ask for the same name at once', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => api.gql('CreateConnectionType', { input: input({ name: 'raced' }) })));
    const codes = answers.map((answer) => answer.data.createConnectionType.userErrors[0]?.code ?? 'created').sort();
    expect(codes).toEqual(['ALREADY_EXISTS', 'ALREADY_EXISTS', 'created']);
  });

  it('and nothing of it stays behind', async () => {
    const total = async () => (await api.must('{ team(slug: "default") { connectionTypes { totalCount } } }')).connectionTypes.totalCount;
    const before = await total();
    await refused({ serverUrl: wrong.get('html')!.url });
    expect(await total()).toBe(before);
  });
});

describe('a server that can\'t be reached', () => {
  it('is refused with what to do, and saved as such where that is asked for', async () => {
    for (const serverUrl of ['http://127.0.0.1:9/mcp', wrong.get('server-error')!.url]) {
      const refusal = await refused({ serverUrl });
      expect(refusal).toMatchObject({ code: 'SERVER_REFUSED', field: ['input', 'serverUrl'], retryable: true });
      expect(refusal.message).toContain('allowUnreachable');
      const type = await create({ serverUrl, allowUnreachable: true });
      expect(type).toMatchObject({ state: 'UNREACHABLE', protocolVersion: null, server: null });
      expect(conditionOf(type, 'Reachable')).toMatchObject({ status: 'FALSE', reason: 'Unreachable', observedGeneration: 1 });
      expect(conditionOf(type, 'Stalled')).toMatchObject({ status: 'FALSE' });
      expect(conditionOf(type, 'ToolsSynced')).toMatchObject({ status: 'UNKNOWN', reason: 'NotRead' });
    }
  });

  it('isn\'t told from any other address that policy refuses', async () => {
    const strict = await startTestApi({ egressAllowLoopback: false });
    const messages = [];
    for (const serverUrl of [open.url, 'http://127.0.0.1:9/mcp', 'https://10.0.0.1/mcp', 'http://169.254.169.254/latest', 'http://example.com/mcp']) {
      const answer = await strict.gql('CreateConnectionType', { input: { ...input({ serverUrl }), allowUnreachable: true } });
      const refusal = refusalOf(answer);
      expect(refusal).toMatchObject({ code: 'SERVER_REFUSED', field: ['input', 'serverUrl'] });
      messages.push(refusal.message);
    }
    expect(new Set(messages).size).toBe(1);
    await strict.stop();
  });
});

describe('a connection type that is accepted', () => {
  it('has every default, and what was seen of the server', async () => {
    const type = await create({ displayName: '  Lager & Café  ', description: 'Stock' });
    expect(type).toMatchObject({
      name: 'lager-cafe', displayName: 'Lager & Café', description: 'Stock', serverUrl: open.url, authMethod: 'NONE', origin: 'API', version: 1, state: 'READY', action: null, manifest: null,
      protocolVersion: '2025-11-25', server: { name: 'changeable', version: '1.0.0' }, accessToken: null, headers: [], oauth: null,
      health: { intervalSeconds: 60, timeoutSeconds: 10 }, calls: { timeoutMs: 60_000, maxResultBytes: 1_048_576, ratePerMinute: null, concurrency: null },
      toolPolicy: { allow: [], deny: [], onChange: 'WARN', trustAnnotations: false }, deletionPolicy: 'DELETE', viewerCan: { update: true, delete: true, enroll: true },
    });
    expect(type.lastCheckedAt).not.toBeNull();
    expect(type.conditions.map((one: { type: string; status: string }) => `${one.type} ${one.status}`).sort()).toEqual(['Reachable TRUE', 'Ready TRUE', 'Reconciling FALSE', 'Stalled FALSE', 'ToolsSynced TRUE']);
  });

  it('takes null for what is left out', async () => {
    const nothing = { name: null, description: null, accessToken: null, headers: null, oauth: null, health: null, calls: null, toolPolicy: { allow: null, onChange: null }, deletionPolicy: null, allowUnreachable: null };
    expect(await create(nothing)).toMatchObject({ description: null, headers: [], calls: { timeoutMs: 60_000 }, toolPolicy: { allow: [], onChange: 'WARN' } });
  });

  it('is of any era, with its tools read where that needs no login', async () => {
    const tools = 'query ($id: ID!) { connectionType(id: $id) { toolCount protocolVersion } }';
    expect(await api.must(tools, { id: (await create({ serverUrl: modern.url })).id })).toMatchObject({ protocolVersion: '2026-07-28', toolCount: expect.any(Number) });
    expect(await api.must(tools, { id: (await create({ serverUrl: dual.url })).id })).toMatchObject({ protocolVersion: '2026-07-28' });
  });

  it('wants a token where it was said to: with the header\'s defaults, or others', async () => {
    const type = await create({ serverUrl: guarded.url, authMethod: 'ACCESS_TOKEN' });
    expect(type).toMatchObject({ state: 'READY', accessToken: { header: 'Authorization', prefix: 'Bearer ' } });
    expect(conditionOf(type, 'ToolsSynced')).toMatchObject({ status: 'UNKNOWN', reason: 'LoginRequired' });
    expect(await create({ serverUrl: guarded.url, authMethod: 'ACCESS_TOKEN', accessToken: { header: 'X-Api-Key', prefix: '' } })).toMatchObject({ accessToken: { header: 'X-Api-Key', prefix: '' } });
    const headers = [{ name: 'X-Api-Key', description: 'From your profile' }, { name: 'X-Region', required: false, secret: false }];
    expect(await create({ serverUrl: guarded.url, authMethod: 'CUSTOM_HEADERS', headers })).toMatchObject({
      headers: [{ name: 'X-Api-Key', description: 'From your profile', required: true, secret: true }, { name: 'X-Region', description: null, required: false, secret: false }],
    });
  });
});

describe('probeServer', () => {
  const probe = async (values: object) => api.gql('Probe', { input: { team: 'default', serverUrl: open.url, ...values } });
  const verdict = async (values: object) => (await probe(values)).data.probeServer;

  it('says what a server is before anything is saved, and what to choose', async () => {
    expect(await verdict({})).toMatchObject({ verdict: 'OK', protocolVersion: '2025-11-25', server: { name: 'changeable', version: '1.0.0' }, toolCount: 1, suggestedAuthMethod: 'NONE', oauth: { outcome: 'NOT_SUPPORTED' } });
    expect(await verdict({ serverUrl: guarded.url })).toMatchObject({ verdict: 'AUTHENTICATION_REQUIRED', suggestedAuthMethod: 'ACCESS_TOKEN', toolCount: null });
    expect(await verdict({ serverUrl: guarded.url, accessToken: 'key-1234' })).toMatchObject({ verdict: 'OK', toolCount: 1 });
    expect(await verdict({ serverUrl: guarded.url, headers: [{ name: 'Authorization', value: 'Bearer key-1234' }] })).toMatchObject({ verdict: 'OK' });
    expect(await verdict({ serverUrl: wrong.get('sse-only')!.url })).toMatchObject({ verdict: 'UNSUPPORTED_TRANSPORT' });
    expect(await verdict({ serverUrl: 'npx -y some-server' })).toMatchObject({ verdict: 'UNSUPPORTED_TRANSPORT' });
    expect(await verdict({ serverUrl: 'http://10.0.0.1/mcp' })).toMatchObject({ verdict: 'REFUSED_BY_POLICY', steps: [{ name: 'address', outcome: 'FAILED', durationMs: null }, {}, {}, {}] });
  });

  it.each<[object, string[]]>([
    [{ serverUrl: 'https://user:secret@example.com/' }, ['serverUrl']], [{ accessToken: 'a\r\nb' }, ['accessToken']],
    [{ headers: [{ name: 'Host', value: 'x' }] }, ['headers', '0', 'name']], [{ headers: [{ name: 'X-Key', value: 'a\nb' }] }, ['headers', '0', 'value']], [{ headers: [{ name: 'X-Key' }] }, ['headers', '0', 'value']],
  ])('refuses %j as a fault of the input', async (values, field) => {
    expect((await probe(values)).errors[0]!.extensions).toMatchObject({ code: 'INVALID', field: ['input', ...field] });
  });

  it('is limited in how often', async () => {
    const eager = await api.member('MANAGER');
    const once = async () => (await eager.gql('Probe', { input: { team: 'default', serverUrl: 'http://10.0.0.1/mcp' } })).errors[0]?.extensions;
    // At once, so that a slow machine doesn't earn the looks back meanwhile.
    const answers = await Promise.all(Array.from({ length: 200 }, once));
    expect(answers.find((answer) => answer !== undefined)).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: expect.any(Number) });
  });
});

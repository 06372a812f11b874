import { startTestApi, type TestApi, type TestMember } from '#test/support/api.js';
import { CATASTROPHIC_SCHEMA, startMisbehaving, type Misbehaviour } from '#test/support/mcp-servers/misbehaving.js';
import { startScripted, type Script, type ScriptedServer } from '#test/support/mcp-servers/scripted.js';

let api: TestApi;
let ada: TestMember;
const open: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  api = await startTestApi();
  ada = await api.member('MANAGER');
});
afterAll(() => api.stop());
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
  expect(api.logs().filter((line) => (JSON.parse(line) as { level: number }).level >= 50)).toEqual([]);
});

async function scripted(script: Script): Promise<ScriptedServer> {
  const server = await startScripted(script);
  open.push(server);
  return server;
}
async function misbehaving(kind: Misbehaviour) {
  const server = await startMisbehaving(kind);
  open.push(server);
  return server;
}

let names = 0;
const FIELDS = '{ connectionType { id name state protocolVersion server { name version } toolCount tools(first: 100) { totalCount nodes { id name title description inputSchema change { diff } } } conditions { type status reason message } } userErrors { code message field retryable } }';
const CREATE = `mutation C($input: CreateConnectionTypeInput!) { createConnectionType(input: $input) ${FIELDS} }`;
const CHECK = `mutation C($input: CheckConnectionTypeInput!) { checkConnectionType(input: $input) ${FIELDS} }`;

async function create(serverUrl: string, more: object = {}) {
  const input = { team: 'default', displayName: 'Hostile', name: `hostile-${++names}`, serverUrl, authMethod: 'NONE', ...more };
  const { data, errors } = await ada.gql(CREATE, { input });
  expect(errors).toEqual([]);
  return data.createConnectionType;
}

async function enrolled(serverUrl: string, more: object = {}) {
  const { connectionType, userErrors } = await create(serverUrl, more);
  expect(userErrors).toEqual([]);
  await ada.must('Enroll', { input: { connectionTypeId: connectionType.id } });
  return connectionType;
}

/** Seconds for those that never answer something. Half of them are waited for the era that a server doesn't know, and what is left must do for the other, on a machine that stands still for a while too. */
const SECONDS: Partial<Record<Misbehaviour, number>> = { 'hangs-always': 2, 'ignores-discover': 12 };

describe('a server that isn\'t as it should be', () => {
  it.each<[Misbehaviour, string]>([
    ['closes', 'fine'], ['hangs-always', 'SERVER_REFUSED'], ['garbage-always', 'SERVER_REFUSED'], ['html', 'SERVER_REFUSED'], ['plain-json', 'SERVER_REFUSED'], ['not-found', 'SERVER_REFUSED'], ['sse-only', 'SERVER_REFUSED'],
    ['server-error', 'SERVER_REFUSED'], ['forbidden', 'SERVER_REFUSED'], ['ignores-discover', 'fine'], ['redirects', 'fine'], ['many-pages', 'fine'], ['bad-tools', 'fine'], ['endless-pages', 'fine'], ['cursor-loop', 'fine'], ['catastrophic-schema', 'fine'],
  ])('(%s) is a catalog entry or a refusal that names the address: %s', async (kind, outcome) => {
    const { connectionType, userErrors } = await create((await misbehaving(kind)).url, SECONDS[kind] === undefined ? {} : { health: { timeoutSeconds: SECONDS[kind] } });
    expect(userErrors[0]?.code ?? 'fine').toBe(outcome);
    expect(connectionType === null).toBe(outcome !== 'fine');
    if (connectionType === null) expect(userErrors[0]).toMatchObject({ field: ['input', expect.stringMatching(/^(serverUrl|authMethod)$/)], message: expect.stringMatching(/^[^\p{C}]{20,800}$/u) });
  });

  const REPLIES: Record<string, Script['methods']> = {
    'closes every connection': { '*': ({ request }) => void request.socket.end() },
    'pours for ever': { '*': ({ response }) => { response.writeHead(200, { 'content-type': 'application/json' }); const more = (): void => { while (!response.destroyed && response.write('x'.repeat(16_384))); }; response.on('drain', more); more(); } },
    'answers initialize with null': { initialize: ({ resultText }) => resultText('null') },
    'answers initialize with a version nobody knows': { initialize: ({ result }) => result({ protocolVersion: '1999-01-01', capabilities: {}, serverInfo: { name: 'x', version: '1' } }) },
    'answers initialize with no server info': { initialize: ({ result }) => result({ protocolVersion: '2025-11-25', capabilities: {} }) },
    'answers initialize with numbers': { initialize: ({ result }) => result({ protocolVersion: 20251125, capabilities: 5, serverInfo: { name: 7, version: [] } }) },
    'answers initialize deeply': { initialize: ({ resultText }) => resultText(`${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`) },
    'answers initialize with an ugly error': { initialize: ({ error }) => error(-32603, '\u0000\u001b[2J\u202e'.repeat(1_000)) },
    'answers 401 with an ugly challenge': { '*': ({ response }) => void response.writeHead(401, { 'www-authenticate': `Bearer realm="${'x'.repeat(8_000)}"` }).end() },
    'answers 400 with half of a character': { '*': ({ response }) => void response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":{"code":-1,"message":"\\ud800\\u0000"}}') },
  };
  it.each(Object.keys(REPLIES))('that %s is refused in words', async (kind) => {
    const { connectionType, userErrors } = await create((await scripted({ methods: REPLIES[kind]! })).url);
    expect(connectionType).toBe(null);
    expect(userErrors[0]).toMatchObject({ code: 'SERVER_REFUSED', field: ['input', expect.stringMatching(/^(serverUrl|authMethod)$/)], message: expect.stringMatching(/^[^\p{C}]{20,800}$/u) });
    const { data, errors } = await ada.gql('Probe', { input: { team: 'default', serverUrl: open.length > 0 ? (open[0] as ScriptedServer).url : '' } });
    expect([errors, data.probeServer.verdict]).toEqual([[], expect.stringMatching(/^(NOT_MCP|UNREACHABLE|AUTHENTICATION_REQUIRED)$/)]);
  });

  it('keeps its name to itself where it can\'t be shown', async () => {
    const serverInfo = { name: `evil\u0000\u001b[2J\u202e\ud800${'x'.repeat(100_000)}`, version: '\u0000' };
    const { connectionType } = await create((await scripted({ serverInfo })).url);
    expect(connectionType.server.name).toMatch(/^evil [^\p{C}]{100,220}$/u);
  });
});

describe('a list of tools', () => {
  const OBJECT = { type: 'object' };

  it('is read without the definitions that can\'t be used', async () => {
    const list = [
      null, 5, 'x', [], {}, { name: 'no-schema' }, { name: '', inputSchema: OBJECT }, { name: 'a\u0000b', inputSchema: OBJECT }, { name: 'half\ud800', inputSchema: OBJECT }, { name: '\udc00half', inputSchema: OBJECT }, { name: 'x'.repeat(129), inputSchema: OBJECT },
      { name: 'line\nbreak', inputSchema: OBJECT }, { name: 7, inputSchema: OBJECT }, { name: 'list', inputSchema: [] }, { name: 'twice', inputSchema: OBJECT }, { name: 'twice', inputSchema: OBJECT, description: 'again' }, { name: '__proto__', inputSchema: OBJECT },
      { name: 'constructor', inputSchema: OBJECT }, { name: 'ключ 鍵', inputSchema: OBJECT }, { name: 'odd-parts', inputSchema: OBJECT, outputSchema: 5, title: {}, description: [], annotations: 'x', icons: null, _meta: 1 },
    ];
    const { connectionType } = await create((await scripted({ list })).url);
    expect(connectionType.tools.nodes.map((tool: { name: string }) => tool.name).sort()).toEqual(['__proto__', 'constructor', 'odd-parts', 'twice', 'ключ 鍵'].sort());
  });

  it('is kept as it came: NUL, halves of characters, big numbers, odd names, long texts', async () => {
    const description = `\u0000\ud800\u202e${'long '.repeat(100_000)}`;
    const inputSchema = JSON.parse('{"properties":{"\\u0000":{"enum":["\\ud800"]},"__proto__":{"description":"\\u0000","type":"string"},"constructor":{"const":1}},"type":"object"}') as object;
    const server = await scripted({ list: [{ name: 'odd', description, inputSchema }] });
    const { connectionType } = await create(server.url);
    expect(connectionType.tools.nodes[0]).toMatchObject({ name: 'odd', description });
    expect(JSON.stringify(connectionType.tools.nodes[0].inputSchema)).toBe(JSON.stringify(inputSchema));

    for (const changed of ['other', 'with \u0000 and \ud800 in it', `${'\u{1f511}'.repeat(1_000)}`]) {
      server.script = { list: [{ name: 'odd', description: changed, inputSchema: { ...inputSchema, additionalProperties: { '\u0000': '\u0000' } } }] };
      const { data, errors } = await ada.gql(CHECK, { input: { id: connectionType.id } });
      expect(errors).toEqual([]);
      expect(data.checkConnectionType.connectionType.tools.nodes[0].description).toBe(changed);
      expect(JSON.stringify(data.checkConnectionType.connectionType.tools.nodes[0].change.diff)).toContain('/description');
    }
  });

  it('that is too long or never ends leaves the type without tools, and says so', async () => {
    const endless = await scripted({ methods: { 'tools/list': ({ result, message }) => result({ tools: [{ name: `t-${String(message.params?.['cursor'] ?? 0)}`, inputSchema: OBJECT }], nextCursor: String(Number(message.params?.['cursor'] ?? 0) + 1) }) } });
    const many = await scripted({ list: Array.from({ length: 2_500 }, (_, index) => ({ name: `tool-${index}`, inputSchema: OBJECT })) });
    const large = await scripted({ list: Array.from({ length: 20 }, (_, index) => ({ name: `tool-${index}`, description: 'x'.repeat(500_000), inputSchema: OBJECT })) });
    const hanging = await scripted({ methods: { 'tools/list': () => undefined } });
    for (const { url } of [endless, many, large]) {
      const { data } = await ada.gql('Probe', { input: { team: 'default', serverUrl: url } });
      expect(data.probeServer).toMatchObject({ verdict: 'OK', toolCount: null, message: expect.stringContaining('could not be listed') });
      expect((await create(url)).connectionType.toolCount).toBe(0);
    }
    expect((await create(hanging.url, { health: { timeoutSeconds: 2 } })).userErrors[0]).toMatchObject({ code: 'SERVER_REFUSED', retryable: true });
  });

  it('with a schema that would take for ever, lead elsewhere or mean nothing stops the call, and only that call', async () => {
    const schemas: Record<string, object> = {
      catastrophic: CATASTROPHIC_SCHEMA, backreference: { type: 'object', properties: { text: { type: 'string', pattern: '^(?=(a+)+$)\\1b' } } }, remote: { $ref: 'http://169.254.169.254/schema' }, 'remote-id': { $id: 'http://evil.example/', $ref: 'other' },
      endless: { $ref: '#' }, 'bad-pattern': { type: 'object', properties: { text: { type: 'string', pattern: '(' } } }, nonsense: { type: 'object', properties: { text: { type: 'no such type' } } }, huge: { type: 'object', properties: { text: { enum: Array.from({ length: 50_000 }, (_, index) => `v${index}`) } } },
      wide: { allOf: Array.from({ length: 2_000 }, () => ({ anyOf: [{ type: 'object' }, { type: 'array' }] })) }, exponential: { $defs: { ...Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`d${index}`, { anyOf: [{ $ref: `#/$defs/d${index + 1}` }, { $ref: `#/$defs/d${index + 1}` }] }])), d40: { type: 'string' } }, $ref: '#/$defs/d0' },
    };
    const server = await scripted({ list: [...Object.entries(schemas).map(([name, inputSchema]) => ({ name, inputSchema })), { name: 'fine', inputSchema: OBJECT }], tools: { '*': () => undefined } });
    server.script.methods = { 'tools/call': ({ result }) => result({ content: [] }) };
    const { name } = await enrolled(server.url);
    const text = `${'a'.repeat(40)}!`;
    const before = server.seen.length;
    const answers = await Promise.all(Object.keys(schemas).map((tool) => ada.gql('CallTool', { input: { connectionType: name, tool, arguments: { text } } })));
    const ends = answers.map(({ data, errors }, index) => [Object.keys(schemas)[index], errors[0]?.extensions['code'] ?? data.callTool.userErrors[0]?.code ?? data.callTool.toolCall.status]);
    expect(Object.fromEntries(ends)).toEqual({
      catastrophic: 'ARGUMENTS_INVALID', backreference: 'ARGUMENTS_INVALID', remote: 'ARGUMENTS_INVALID', 'remote-id': 'ARGUMENTS_INVALID', endless: expect.any(String), 'bad-pattern': 'ARGUMENTS_INVALID', nonsense: 'ARGUMENTS_INVALID', huge: 'ARGUMENTS_INVALID',
      wide: expect.any(String), exponential: 'ARGUMENTS_INVALID',
    });
    expect(ends.flat()).not.toContain('INTERNAL');
    expect((await ada.must('CallTool', { input: { connectionType: name, tool: 'fine' } })).toolCall.status).toBe('SUCCEEDED');
    expect(server.seen.slice(before).map(({ path }) => path)).not.toContain('/schema');
  });
});

describe('a session', () => {
  it('that the server forgets every time is opened again, and the call is made once', async () => {
    for (const kind of ['forgets-sessions'] as const) {
      const server = await misbehaving(kind);
      const { name } = await enrolled(server.url);
      for (let round = 0; round < 3; round++) {
        const calls = () => server.seen.filter(({ body }) => (body as { method?: string } | null)?.method === 'tools/call').length;
        const { toolCall } = await ada.must('CallTool', { input: { connectionType: name, tool: 'echo' } });
        expect([toolCall.status, calls() >= 1]).toEqual(['SUCCEEDED', true]);
      }
    }
  });

  it('with a server that asks in between ends well', async () => {
    const server = await misbehaving('server-requests');
    const { name } = await enrolled(server.url);
    expect((await ada.must('CallTool', { input: { connectionType: name, tool: 'echo' } })).toolCall).toMatchObject({ status: 'SUCCEEDED', content: [{ text: 'fine' }] });
    expect(server.answers).toHaveLength(3);
  });

  it('whose credential the server refuses after some calls makes the enrollment wait for its owner, and nobody tries again', async () => {
    const server = await misbehaving('unauthorized-after');
    server.allowCalls(2);
    const { connectionType } = await create(server.url, { authMethod: 'ACCESS_TOKEN' });
    const { enrollment } = await ada.must('Enroll', { input: { connectionTypeId: connectionType.id, accessToken: 'soon-revoked-4711' } });
    const call = () => ada.gql('CallTool', { input: { connectionType: connectionType.name, tool: 'echo' } });
    const ends = [];
    for (let round = 0; round < 4; round++) {
      const { data } = await call();
      ends.push(data.callTool.userErrors[0]?.code ?? data.callTool.toolCall.error?.code ?? data.callTool.toolCall.status);
    }
    expect(ends).toEqual(['SUCCEEDED', 'SUCCEEDED', 'UNAUTHORIZED', 'ACTION_REQUIRED']);
    const { data } = await ada.gql('query E($id: ID!) { enrollment(id: $id) { state action { label url } } }', { id: enrollment.id });
    expect(data.enrollment).toMatchObject({ state: 'ACTION_REQUIRED', action: { label: 'Enter a new credential' } });
    const made = () => server.seen.filter(({ body }) => (body as { method?: string } | null)?.method === 'tools/call').length;
    const before = made();
    await call();
    expect(made()).toBe(before);
  });
});

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { findCanaries, formsOf, type Canaries } from '#test/support/canaries.js';
import { freePort } from '#test/support/free-port.js';
import { LocalState, type LocalFairlead } from '#test/support/local-fairlead.js';
import { startScripted, type Behaviour, type Exchange, type ScriptedServer } from '#test/support/mcp-servers/scripted.js';
import { until } from '#test/support/mcp-servers/until.js';

/** Credentials: nothing that comes out may hold them. The characters are those that JSON, URLs and base64 write in their own ways. */
const CREDENTIALS: Canaries = {
  accessToken: 'canary-token+/=&%20"quoted"\\back?#slash/end', secondToken: 'canary-second-token-~!@$^*()[]{}|;:,.<>', wrongToken: 'canary-wrong-token-"4711"-\\n', probeToken: 'canary-probe-token-<4711>&', probeHeader: 'canary probe header "4711"\twith a tab',
  firstHeader: 'canary first header, "with" a \\ and a %', secondHeader: 'Basic Y2FuYXJ5LXVzZXI6Y2FuYXJ5LXBhc3N3b3JkLTQ3MTE=', passwordOfHeader: 'canary-password-4711', wrongHeader: 'canary-wrong-header-4711', staleToken: 'canary-stale-token-4711',
};
/** How they begin: what was cut before it was redacted would show as this. */
const BEGINNING = /canary[- ](?:token|second|wrong|probe|first|password|stale)/;
/** What tools are given and answer: seen by the caller then, and kept nowhere in clear. */
const CONTENTS: Canaries = {
  argument: 'canary-argument-"4711"/\\', keptArgument: 'canary-kept-argument-4711', result: 'canary-result-"4711"/\\', keptResult: 'canary-kept-result-4711', failure: 'canary-failure-4711', badArgument: 'canary-bad-argument-4711', refusedArgument: 'canary-refused-argument-4711',
};

let state: LocalState;
let fairlead: LocalFairlead;
let server: ScriptedServer;
let metrics = '';
let secrets: Canaries;
let database: Client;

/** The credential that a request carries, in every form that a server could give it back in. */
function reflections({ request }: Pick<Exchange, 'request'>): string[] {
  const values = Object.values(CREDENTIALS).filter((secret) => Object.values(request.headers).some((value) => String(value).includes(secret)));
  // Hexadecimal and escapes of escapes aren't promised to be caught.
  return values.flatMap((secret) => [...formsOf(secret)].filter(([form]) => !form.toLowerCase().startsWith('hex') && !form.startsWith('base64')).map(([, text]) => text)
    .concat(Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('base64url'), Buffer.from(`user:${secret}:more`).toString('base64'), Buffer.from(`x${secret}`).toString('base64')));
}

const carries = (exchange: Exchange, secret: string): boolean => Object.values(exchange.request.headers).some((value) => String(value).endsWith(secret));
const goodCredential = (exchange: Exchange): boolean => ['accessToken', 'secondToken', 'staleToken', 'firstHeader', 'probeToken'].some((name) => carries(exchange, CREDENTIALS[name]!));

/** Refuses what it doesn't know, with what it was given in the refusal. */
const guarded = (behaviour: Behaviour): Behaviour => (exchange) => {
  const said = reflections(exchange);
  if (goodCredential(exchange)) return behaviour(exchange);
  const plain = said.join(' ').replace(/[^\x20-\x7e]/g, '');
  exchange.response.writeHead(401, { 'content-type': 'text/plain', 'www-authenticate': `Bearer error="invalid_token", error_description="${plain.slice(0, 6000)}"` }).end(said.join('\n'));
};

const TOOLS: Record<string, Behaviour> = {
  reflect: (exchange) => {
    const said = reflections(exchange);
    exchange.result({
      content: [...said.map((text) => ({ type: 'text', text: `You are ${text}!` })), { type: 'text', text: JSON.stringify({ nested: JSON.stringify(exchange.request.headers) }) }, { type: 'image', data: Buffer.from(said[0] ?? '').toString('base64'), mimeType: said[0] ?? '' },
        { type: 'resource_link', uri: `test://x?key=${encodeURIComponent(said[0] ?? '')}`, name: said[0] }, { type: 'resource', resource: { uri: 'test://y', text: said.join('\n'), blob: Buffer.from(said.join('')).toString('base64') } }, { type: 'new', [said[0] ?? 'x']: said }],
      structuredContent: { headers: exchange.request.headers, [said[0] ?? 'x']: 1, list: said },
    });
  },
  'reflect-failure': (exchange) => exchange.result({ content: reflections(exchange).map((text) => ({ type: 'text', text })), isError: true }),
  'reflect-error': (exchange) => exchange.error(-32603, `no access for ${reflections(exchange).join(' ')}`, { headers: exchange.request.headers }),
  'reflect-status': (exchange) => void exchange.response.writeHead(400, { 'content-type': 'text/plain' }).end(reflections(exchange).join(' ')),
  'reflect-500': (exchange) => void exchange.response.writeHead(500, { 'content-type': 'text/plain' }).end(reflections(exchange).join(' ')),
  'reflect-redirect': (exchange) => void exchange.response.writeHead(307, { location: `http://127.0.0.1:1/?key=${encodeURIComponent(reflections(exchange)[0] ?? '')}` }).end(),
  'reflect-garbage': (exchange) => void exchange.response.writeHead(200, { 'content-type': 'application/json' }).end(`{"oops": ${reflections(exchange).join(' ')}`),
  'reflect-scope': (exchange) => void exchange.response.writeHead(403, { 'www-authenticate': `Bearer error="insufficient_scope", scope="${(reflections(exchange)[0] ?? '').replace(/[^\x20-\x7e]/g, '')}"` }).end(),
  'reflect-401': (exchange) => void exchange.response.writeHead(401, { 'content-type': 'text/plain', 'www-authenticate': `Bearer realm="${(reflections(exchange)[0] ?? '').replace(/[^\x20-\x7e]/g, '')}"` }).end(reflections(exchange).join(' ')),
  'reflect-schema': (exchange) => exchange.result({ content: [], structuredContent: { answer: reflections(exchange)[0] } }),
  'reflect-events': (exchange) => {
    exchange.response.writeHead(200, { 'content-type': 'text/event-stream' });
    exchange.response.write(`: ${reflections(exchange)[0]}\n\ndata: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { data: reflections(exchange) } })}\n\n`);
    exchange.response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id: exchange.message.id, result: { content: [{ type: 'text', text: reflections(exchange).join('|') }] } })}\n\n`);
  },
  answer: ({ result, message }) => result({ content: [{ type: 'text', text: (message.params!['arguments'] as { kept?: boolean }).kept === true ? CONTENTS['keptResult'] : CONTENTS['result'] }], structuredContent: { said: CONTENTS['result'], kept: CONTENTS['keptResult'] } }),
  'quote-arguments': ({ error, message }) => error(-32602, `no stock of ${String((message.params!['arguments'] as { text: string }).text)}, says the shelf`),
  'quote-in-400': ({ response, message }) => void response.writeHead(400, { 'content-type': 'text/plain' }).end(JSON.stringify(message)),
  fail: ({ result }) => result({ content: [{ type: 'text', text: CONTENTS['failure'] }], isError: true }),
  hang: () => undefined,
  close: ({ request }) => void request.socket.destroy(),
};
const STRICT = { type: 'object', properties: { n: { type: 'integer', maximum: 5 } }, additionalProperties: false };

function describedTools(exchange: Exchange): object[] {
  const [said = 'x', ...rest] = reflections(exchange);
  return [
    ...Object.keys(TOOLS).map((name) => ({ name, description: `For ${said}`, inputSchema: { type: 'object', description: rest.join(' '), properties: { [said]: { default: said, enum: rest } } }, ...(name === 'reflect-schema' && { outputSchema: { type: 'object', properties: { answer: { const: said } } } }) })),
    { name: 'strict', inputSchema: STRICT }, { name: said.slice(0, 100), inputSchema: { type: 'object' }, annotations: { title: said } },
  ];
}

beforeAll(async () => {
  server = await startScripted({});
  server.script = {
    methods: {
      'initialize': guarded((exchange) => exchange.result({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: `${'x'.repeat(190)}${reflections(exchange)[0] ?? ''}`, version: reflections(exchange).join(' ') } })),
      'tools/list': guarded((exchange) => exchange.result({ tools: describedTools(exchange) })),
      'tools/call': guarded((exchange) => (TOOLS[String(exchange.message.params?.['name'])] ?? TOOLS['fail']!)(exchange)),
    },
  };
  state = await LocalState.create();
  const metricsPort = String(await freePort());
  const env = { FAIRLEAD_LOG_LEVEL: 'trace', FAIRLEAD_METRICS_PORT: metricsPort };
  fairlead = await state.start(env);
  const tokens = await journeys(fairlead);
  metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  await broken(fairlead);
  await crash(fairlead);
  fairlead = await state.start(env);
  await afterwards(fairlead);
  metrics += await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const [, key] = (await readFile(join(state.path, 'keys'), 'utf8')).trim().split(':');
  secrets = { ...CREDENTIALS, ...tokens, adminToken: fairlead.token, keyOfRing: key! };
  database = await connect();
});
afterAll(async () => {
  await database.end();
  await state.remove();
  await server.close();
});

async function connect(): Promise<Client> {
  const port = (await readFile(join(state.data, 'postmaster.pid'), 'utf8')).split('\n')[3];
  const password = (await readFile(join(state.data, 'fairlead-password'), 'utf8')).trim();
  const client = new Client({ connectionString: `postgres://fairlead:${password}@127.0.0.1:${port}/fairlead` });
  // Connections are broken on purpose.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

const enrollmentIds: string[] = [];
/** Calls that have reached the server, and that it leaves without an answer. */
const hanging = (): number => server.seen.filter(({ body }) => (body as { params?: { name?: string } } | null)?.params?.name === 'hang').length;

/** Everything that people and programs do, well and badly. Returns the Fairlead tokens that were made. */
async function journeys({ gql, must, token }: LocalFairlead): Promise<Canaries> {
  const team = 'default';
  await gql('Probe', { input: { team, serverUrl: server.url } });
  await gql('Probe', { input: { team, serverUrl: server.url, accessToken: CREDENTIALS['probeToken'] } });
  await gql('Probe', { input: { team, serverUrl: server.url, accessToken: CREDENTIALS['wrongToken'], headers: [{ name: 'X-Key', value: CREDENTIALS['probeHeader'] }] } });
  await gql('Probe', { input: { team, serverUrl: server.url, accessToken: `${CREDENTIALS['wrongToken']}\r\n` } });

  const { connectionType: byToken } = await must('CreateConnectionType', { team, displayName: 'By token', serverUrl: server.url, authMethod: 'ACCESS_TOKEN' });
  const headers = [{ name: 'X-First' }, { name: 'X-Second', description: 'Basic …' }];
  const { connectionType: byHeaders } = await must('CreateConnectionType', { team, displayName: 'By headers', serverUrl: server.url, authMethod: 'CUSTOM_HEADERS', headers });
  const enroll = (input: object) => gql('Enroll', { input });
  await enroll({ connectionTypeId: byToken.id, accessToken: CREDENTIALS['wrongToken'] });
  await enroll({ connectionTypeId: byToken.id, accessToken: `Bearer ${CREDENTIALS['accessToken']}` });
  await enroll({ connectionTypeId: byToken.id, accessToken: `${CREDENTIALS['accessToken']}\u0000` });
  await enroll({ connectionTypeId: byToken.id, accessToken: [CREDENTIALS['accessToken']] });
  await enroll({ connectionTypeId: byToken.id, accessToken: { value: CREDENTIALS['accessToken'] } });
  await enroll({ connectionTypeId: byToken.id, accessToken: CREDENTIALS['accessToken'], headers: [{ name: 'X-First', value: CREDENTIALS['firstHeader'] }] });
  await enroll({ connectionTypeId: byToken.id, [CREDENTIALS['accessToken']!]: 1 });
  await gql(`mutation { enroll(input: {connectionTypeId: "${byToken.id}", accessToken: ${JSON.stringify(CREDENTIALS['accessToken'])}, nope: 1}) { userErrors { code } } }`, {});
  await gql(`mutation { enroll(input: {connectionTypeId: 5.5, accessToken: {a: ${JSON.stringify(CREDENTIALS['accessToken'])}}}) { userErrors { code } } }`, {});
  await gql(`mutation { enroll(input: {accessToken: "${CREDENTIALS['wrongHeader']}" `, {});
  await enroll({ connectionTypeId: byHeaders.id, headers: [{ name: 'X-First', value: CREDENTIALS['wrongHeader'] }, { name: 'X-Second', value: CREDENTIALS['secondHeader'] }] });
  await enroll({ connectionTypeId: byHeaders.id, headers: [{ name: 'X-First', value: `${CREDENTIALS['firstHeader']}\n` }, { name: CREDENTIALS['secondHeader'], value: 'x' }] });
  await enroll({ connectionTypeId: byHeaders.id, headers: [{ name: 'X-First', value: 5 }, { name: 'X-Second', value: CREDENTIALS['secondHeader'] }] });

  const { enrollment: mine } = await must('Enroll', { connectionTypeId: byToken.id, accessToken: CREDENTIALS['accessToken'] });
  const { enrollment: other } = await must('Enroll', { connectionTypeId: byToken.id, label: 'second', accessToken: CREDENTIALS['staleToken'] });
  const { enrollment: ours } = await must('Enroll', { connectionTypeId: byHeaders.id, headers: [{ name: 'X-First', value: CREDENTIALS['firstHeader'] }, { name: 'X-Second', value: CREDENTIALS['secondHeader'] }] });
  enrollmentIds.push(mine.id as string, other.id as string, ours.id as string);
  await gql('UpdateEnrollment', { input: { id: other.id, accessToken: CREDENTIALS['wrongToken'] } });
  await must('UpdateEnrollment', { id: other.id, accessToken: CREDENTIALS['secondToken'] });
  await must('RefreshEnrollment', { id: mine.id });
  await must('ShareEnrollment', { id: ours.id, shared: true });
  await must('CheckConnectionType', { id: byToken.id });

  const { member } = await must('SetMember', { team, subject: 'ada', role: 'MANAGER' });
  const { secret: adas } = await must('CreateToken', { team, name: 'ada', memberId: member.id });
  const { secret: short, token: row } = await must('CreateToken', { team, name: 'short', expiresAt: '2100-01-01T00:00:00Z' });
  await must('RevokeToken', { id: row.id });
  await gql('Viewer', {}, short as string);
  await gql('Viewer', {}, `${token}x`);

  for (const [connectionType, enrollmentId] of [['by-token', mine.id], ['by-headers', ours.id]]) {
    for (const tool of Object.keys(TOOLS).filter((name) => name.startsWith('reflect') && name !== 'reflect-401')) {
      await gql('CallTool', { input: { connectionType, enrollmentId, tool } });
      await gql('CallTool', { input: { connectionType, enrollmentId, tool, idempotencyKey: `${connectionType} ${tool}` } });
    }
    const call = (input: object) => gql('CallTool', { input: { connectionType, enrollmentId, ...input } });
    await call({ tool: 'answer', arguments: { text: CONTENTS['argument'], kept: false } });
    await call({ tool: 'answer', arguments: { text: CONTENTS['keptArgument'], kept: true }, idempotencyKey: `kept ${connectionType}` });
    await call({ tool: 'answer', arguments: { text: CONTENTS['refusedArgument'] }, idempotencyKey: `kept ${connectionType}` });
    await call({ tool: 'fail', arguments: { text: CONTENTS['argument'] } });
    for (const tool of ['quote-arguments', 'quote-in-400']) {
      await call({ tool, arguments: { text: CONTENTS['argument'] } });
      await call({ tool, arguments: { text: CONTENTS['keptArgument'] }, idempotencyKey: `${tool} ${connectionType}` });
    }
    await call({ tool: 'close', arguments: { text: CONTENTS['argument'] } });
    await call({ tool: 'hang', arguments: { text: CONTENTS['argument'] }, timeoutMs: 100 });
    await call({ tool: 'strict', arguments: { n: CONTENTS['badArgument'], [CONTENTS['badArgument']!]: 1 } });
    await call({ tool: CONTENTS['badArgument'], arguments: [CONTENTS['refusedArgument']] });
    const before = hanging();
    const { toolCall: running } = await must('CallTool', { connectionType, enrollmentId, tool: 'hang', arguments: { text: CONTENTS['keptArgument'] }, wait: false });
    await until(() => hanging() > before);
    await must('CancelToolCall', { id: running.id });
  }
  await gql('Catalog', { team });
  await gql('ToolCalls', { team, first: 100 }, adas as string);
  await gql(`query { team(slug: "default") { enrollments { nodes { credential { fields { name isSet } } conditions { message } } } auditEvents(first: 100) { nodes { actorName action subjectName code } } } }`, {});

  // The address moves, and comes back; and the last call finds the credential dead.
  const moved = `${server.url}?moved`;
  await must('UpdateConnectionType', { id: byToken.id, expectedVersion: 1, serverUrl: moved });
  await gql('CallTool', { input: { connectionType: 'by-token', enrollmentId: mine.id, tool: 'reflect' } });
  await gql('ConfirmEnrollment', { input: { id: mine.id, serverUrl: server.url } });
  await must('ConfirmEnrollment', { id: mine.id, serverUrl: moved });
  await gql('CallTool', { input: { connectionType: 'by-headers', enrollmentId: ours.id, tool: 'reflect-401' } });
  return { adas: adas as string, short: short as string };
}

/** Our own faults: the database refuses rows, and breaks off. */
async function broken({ gql }: LocalFairlead): Promise<void> {
  const client = await connect();
  await client.query('alter table credentials add constraint broken check (version < 0) not valid');
  await client.query('alter table tool_calls add constraint broken check (kept is null) not valid');
  const { data } = await gql('query { team(slug: "default") { connectionTypes { nodes { id name } } } }', {});
  for (const { id, name } of data.team.connectionTypes.nodes as { id: string; name: string }[]) {
    await gql('Enroll', { input: name === 'by-token' ? { connectionTypeId: id, label: 'broken', accessToken: CREDENTIALS['accessToken'] } : { connectionTypeId: id, label: 'broken', headers: [{ name: 'X-First', value: CREDENTIALS['firstHeader'] }, { name: 'X-Second', value: CREDENTIALS['secondHeader'] }] } });
  }
  const call = { input: { connectionType: 'by-token', enrollmentId: enrollmentIds[0], tool: 'answer', arguments: { text: CONTENTS['argument'] } } };
  await gql('UpdateEnrollment', { input: { id: enrollmentIds[0], accessToken: CREDENTIALS['accessToken'] } });
  await gql('CallTool', call);
  await gql('CallTool', { input: { ...call.input, idempotencyKey: 'broken' } });
  await client.query('alter table credentials drop constraint broken');
  await client.query('alter table tool_calls drop constraint broken');
  const cutOff = [gql('CallTool', call), gql('UpdateEnrollment', { input: { id: enrollmentIds[0], accessToken: CREDENTIALS['accessToken'] } })];
  await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()');
  await Promise.all(cutOff);
  await client.end();
  // Connections that are ended are found to be so by who uses them next: until calls are made again, with a key and without.
  for (const idempotencyKey of [undefined, 'mended']) await until(async () => (await gql('CallTool', { input: { ...call.input, idempotencyKey } })).data?.callTool?.toolCall?.status === 'SUCCEEDED');
}

/** `kill -9` while calls are on their way, with a key and without. */
async function crash({ child, gql }: LocalFairlead): Promise<void> {
  const before = hanging();
  const input = { connectionType: 'by-token', enrollmentId: enrollmentIds[0], tool: 'hang' };
  await gql('CallTool', { input: { ...input, arguments: { text: CONTENTS['keptArgument'] }, idempotencyKey: 'crash', wait: false } });
  const lost = gql('CallTool', { input: { ...input, arguments: { text: CONTENTS['argument'] } } }).catch(() => null);
  await until(() => hanging() >= before + 2);
  child.process.kill('SIGKILL');
  await child.ended;
  await lost;
}

async function afterwards({ gql }: LocalFairlead): Promise<void> {
  await gql('CallTool', { input: { connectionType: 'by-token', enrollmentId: enrollmentIds[0], tool: 'hang', arguments: { text: CONTENTS['keptArgument'] }, idempotencyKey: 'crash' } });
  await gql('CallTool', { input: { connectionType: 'by-token', enrollmentId: enrollmentIds[0], tool: 'reflect' } });
  await gql('ToolCalls', { team: 'default', first: 100 });
  const { data } = await gql('query { team(slug: "default") { toolCalls(first: 100) { nodes { id contentState } } } }', {});
  for (const { id, contentState } of data.team.toolCalls.nodes as { id: string; contentState: string }[]) if (contentState === 'NOT_KEPT') await gql('query Late($id: ID!) { toolCall(id: $id) { arguments structuredContent content { __typename } error { message } } }', { id });
}

/** Every row of every table as text, bytes in hexadecimal and, again, as PostgreSQL escapes them. */
async function dump(): Promise<string> {
  const { rows: tables } = await database.query<{ name: string }>(`select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`);
  const rows: string[] = [];
  for (const output of ['hex', 'escape']) {
    await database.query(`set bytea_output = ${output}`);
    for (const { name } of tables) rows.push(...(await database.query<{ row: string }>(`select row_to_json(t)::text as row from ${name} t`)).rows.map(({ row }) => `${name}: ${row}`));
  }
  expect(tables.length).toBeGreaterThan(10);
  return rows.join('\n');
}

/** The files of the state directory other than those that hold secrets by design. */
async function files(folder = state.path): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = await Promise.all(entries.map(async (entry) => (entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)])));
  return found.flat().filter((path) => ![join(state.path, 'keys'), join(state.path, 'admin-token')].includes(path));
}

describe('what came out of all journeys', () => {
  it('did happen: calls ended in each way, and the credentials reached the server', async () => {
    const { rows } = await database.query<{ status: string }>('select distinct status from tool_calls order by 1');
    expect(rows.map(({ status }) => status)).toEqual(['FAILED', 'OUTCOME_UNKNOWN', 'SUCCEEDED', 'TOOL_ERROR']);
    const sent = server.seen.flatMap(({ headers }) => Object.values(headers)).join('\n');
    expect(Object.keys(CREDENTIALS).filter((name) => !sent.includes(CREDENTIALS[name]!))).toEqual(['passwordOfHeader']);
    expect(state.said.length).toBeGreaterThan(100);
    expect(metrics).toContain('# HELP');
    expect(state.answers.filter(({ text }) => text.includes('[redacted]')).length).toBeGreaterThan(20);
    expect(state.answers.filter(({ text }) => text.includes('"INTERNAL"')).length).toBeGreaterThan(2);
  });

  it('logs hold no secret, and nothing of what tools were given or answered', () => {
    expect(findCanaries(state.said.join('\n'), { ...secrets, ...CONTENTS })).toEqual([]);
    expect(state.said.filter((line) => BEGINNING.test(line))).toEqual([]);
  });

  it('metrics neither', () => {
    expect(findCanaries(metrics, { ...secrets, ...CONTENTS })).toEqual([]);
  });

  it('answers hold no credential in any form, but a new token where it is made', () => {
    const { adas, short, ...others } = secrets;
    for (const { operation, text } of state.answers) {
      const found = findCanaries(text, operation === 'CreateToken' ? others : secrets);
      expect([operation, found, BEGINNING.exec(text)]).toEqual([operation, [], null]);
    }
    expect([adas, short].map((token) => state.answers.filter(({ text }) => text.includes(token!)).length)).toEqual([1, 1]);
  });

  it('answers about a call that wasn\'t kept hold nothing of it later', () => {
    const later = state.answers.filter(({ operation }) => operation === 'ToolCalls' || operation.startsWith('query'));
    expect(later.filter(({ operation }) => operation.startsWith('query Late')).length).toBeGreaterThan(10);
    expect(findCanaries(later.map(({ text }) => text).join('\n'), CONTENTS)).toEqual([]);
  });

  it('rows of all tables hold no secret, and no arguments or results in clear', async () => {
    const rows = await dump();
    expect(findCanaries(rows, { ...secrets, ...CONTENTS })).toEqual([]);
    expect(BEGINNING.exec(rows)).toBe(null);
  });

  /** PostgreSQL is running, and replaces files of its own at any moment. */
  async function readIfThere(path: string): Promise<Buffer> {
    return readFile(path).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? Buffer.alloc(0) : Promise.reject(error)));
  }

  it('files of the state directory neither, PostgreSQL\'s own included', async () => {
    const found: string[] = [];
    for (const path of await files()) found.push(...findCanaries(await readIfThere(path), { ...secrets, ...CONTENTS }, ['exact', 'JSON', 'base64 +0', 'hex']).map((name) => `${path}: ${name}`));
    expect(found).toEqual([]);
  });
});

describe('this test finds a canary', () => {
  const planted: Canaries = { planted: 'canary-planted-"4711"/\\' };

  it('in every form, whatever stands around it', () => {
    for (const [form, text] of formsOf(planted['planted']!)) expect([form, findCanaries(`before ${text} after`, planted).length]).toEqual([form, 1]);
    for (const around of ['', 'x', 'xy', 'xyz']) expect(findCanaries(Buffer.from(`${around}${planted['planted']}${around}`).toString('base64'), planted).length).toBe(1);
    expect(findCanaries('nothing', planted)).toEqual([]);
  });

  it('where one is stored, in a text, in JSON and in bytes', async () => {
    const plant = planted['planted']!;
    for (const statement of ['update tokens set name = $1', 'update connection_types set spec = spec || jsonb_build_object(\'description\', $1::text)', 'update credentials set sealed = convert_to($1, \'utf8\')']) {
      await database.query('begin');
      await database.query(statement, [plant]);
      expect([statement, findCanaries(await dump(), planted).length]).toEqual([statement, 1]);
      await database.query('rollback');
    }
  });

  it('where one is logged', async () => {
    await fetch(`${fairlead.url}/${encodeURIComponent(planted['planted']!)}`);
    await until(() => state.said.some((line) => line.includes('canary-planted')));
    expect(findCanaries(state.said.join('\n'), planted).length).toBe(1);
  });
});

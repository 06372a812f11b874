import { readdir, readFile, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readPostmaster } from '#core/postgres/leftover.js';
import { MIGRATED } from '#test/support/api.js';
import { startGated, type GatedServer } from '#test/support/calls/gated-server.js';
import { createDatabase } from '#test/support/database.js';
import { freePort } from '#test/support/free-port.js';
import { HostileServer } from '#test/support/hostile-server.js';
import { LocalState, type LocalFairlead } from '#test/support/local-fairlead.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { until } from '#test/support/mcp-servers/until.js';

const CREDENTIAL = 'local-key-4711-4712';

let state: LocalState;

/** What `fetch` doesn't let a test choose. */
function raw(port: number, options: { method?: string; path?: string; headers?: Record<string, string>; body?: string }): Promise<{ status: number; text: string; headers: Record<string, unknown> }> {
  return new Promise((done, failed) => {
    const request = httpRequest({ host: '127.0.0.1', port, method: options.method ?? 'POST', path: options.path ?? '/graphql', headers: { 'content-type': 'application/json', ...options.headers }, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => { text += part; });
      response.on('end', () => done({ status: response.statusCode!, text, headers: response.headers }));
    });
    request.on('error', failed).end(options.body);
  });
}

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const databasePid = async (): Promise<number> => (await readPostmaster(state.data))!.pid;
const BODY = JSON.stringify({ query: '{ viewer { displayName } }' });

describe('the doors of local mode', () => {
  let fairlead: LocalFairlead;
  let mcp: MinimalServer;
  let hostile: HostileServer;
  let metricsPort: number;

  beforeAll(async () => {
    state = await LocalState.create();
    [mcp, hostile] = [await startMinimal(), await HostileServer.start()];
    metricsPort = await freePort();
    fairlead = await state.start({ FAIRLEAD_METRICS_PORT: String(metricsPort) });
  });
  afterAll(async () => {
    await state.remove();
    await mcp.close();
    await hostile.close();
  });

  const authorized = (headers: Record<string, string> = {}) => ({ authorization: `Bearer ${fairlead.token}`, ...headers });
  const at = (text: string): string => text.replaceAll('PORT', String(fairlead.port));

  it.each(['evil.example:PORT', 'evil.example', '127.0.0.1', '127.0.0.1:1', 'localhost:PORT.evil.example', '0.0.0.0:PORT', 'localhost.:PORT', 'user@localhost:PORT'])('an answer is refused under the host %s, even with the token', async (host) => {
    const { status, text } = await raw(fairlead.port, { headers: authorized({ host: at(host) }), body: BODY });
    expect(status).toBe(421);
    expect(JSON.parse(text)).toMatchObject({ errors: [{ extensions: { code: 'HOST_REFUSED' } }] });
  });

  it.each(['localhost:PORT', '127.0.0.1:PORT', '[::1]:PORT', 'LOCALHOST:PORT'])('it answers as %s', async (host) => {
    expect((await raw(fairlead.port, { headers: authorized({ host: at(host) }), body: BODY })).status).toBe(200);
  });

  it.each(['https://evil.example', 'http://evil.example:PORT', 'null', 'http://localhost.evil.example', 'http://127.0.0.1.evil.example', 'http://evil.example/localhost', 'file://', 'http://[::ffff:127.0.0.1]', 'chrome-extension://abc', ''])(
    'a page of the origin %p may not call, even with the token', async (origin) => {
      const { status, headers } = await raw(fairlead.port, { headers: authorized({ origin: at(origin) }), body: BODY });
      expect([status, headers['access-control-allow-origin']]).toEqual([403, undefined]);
    });

  it.each(['http://localhost:3000', 'http://127.0.0.1:5173', 'http://[::1]:8080', 'http://app.localhost'])('a page of the origin %s on this machine may', async (origin) => {
    const { status, headers } = await raw(fairlead.port, { headers: authorized({ origin }), body: BODY });
    expect([status, headers['access-control-allow-origin']]).toEqual([200, origin]);
  });

  it.each<[string, { method?: string; path?: string; headers?: Record<string, string>; body?: string }, number]>([
    ['GET', { method: 'GET', path: `/graphql?query=${encodeURIComponent('{viewer{id}}')}` }, 405],
    ['a form', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'query=%7Bviewer%7Bid%7D%7D' }, 415],
    ['plain text', { headers: { 'content-type': 'text/plain' }, body: BODY }, 415],
    ['multipart', { headers: { 'content-type': 'multipart/form-data; boundary=x' }, body: '--x--' }, 415],
    ['no type', { headers: { 'content-type': '' }, body: BODY }, 415],
    ['a list of operations', { body: `[${BODY}]` }, 400],
    ['JSON that isn\'t', { body: '{"query":' }, 400],
    ['nothing', { body: '' }, 400],
    ['a string', { body: '"{ viewer { id } }"' }, 400],
    ['too much', { body: JSON.stringify({ query: `{ viewer { id } } #${'x'.repeat(2_000_000)}` }) }, 413],
    ['JSON nested too deeply', { body: `{"query":"{viewer{id}}","variables":{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}}` }, 400],
  ])('GraphQL isn\'t answered to %s', async (_name, options, status) => {
    const answer = await raw(fairlead.port, { ...options, headers: authorized(options.headers) });
    expect([answer.status, answer.headers['content-type']]).toEqual([status, expect.stringContaining('json')]);
    expect((JSON.parse(answer.text) as { errors: { message: string }[] }).errors[0]!.message.length).toBeGreaterThan(10);
  });

  it('nothing is answered without the token, or with another', async () => {
    const attempts: Record<string, string>[] = [{}, { authorization: 'Bearer flt_wrong' }, { authorization: `Basic ${btoa(`:${fairlead.token}`)}` }, { authorization: fairlead.token }, { cookie: `token=${fairlead.token}` }];
    for (const headers of attempts) {
      const { status, text } = await raw(fairlead.port, { headers, body: BODY });
      expect([status, (JSON.parse(text) as { errors: { extensions: { code: string } }[] }).errors[0]!.extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
    }
  });

  const own = async (): Promise<number[]> => {
    const options = await readFile(join(state.data, 'postmaster.pid'), 'utf8');
    return [fairlead.port, Number(options.split('\n')[3]), metricsPort];
  };

  it.each(['127.0.0.1', 'localhost', '[::1]', '127.1', '2130706433', '0x7f000001', '0.0.0.0', '[::]', '[::ffff:127.0.0.1]', 'localhost.', 'a.localhost'])('our own ports and PostgreSQL\'s are no MCP servers as %s', async (host) => {
    for (const port of await own()) {
      const { data } = await fairlead.gql('Probe', { input: { team: 'default', serverUrl: `http://${host}:${port}/mcp` } });
      expect([port, data.probeServer.verdict]).toEqual([port, 'REFUSED_BY_POLICY']);
    }
  });

  it.each(['http://169.254.169.254/latest/meta-data', 'http://[fd00:ec2::254]/', 'http://metadata.google.internal/', 'http://10.0.0.1/mcp', 'https://192.168.1.1/mcp', 'http://example.com/mcp', 'http://100.100.100.200/', 'http://0xa9fea9fe/'])(
    'local mode doesn\'t open %s', async (serverUrl) => {
      const { data } = await fairlead.gql('Probe', { input: { team: 'default', serverUrl } });
      expect(data.probeServer).toMatchObject({ verdict: expect.stringMatching(/REFUSED_BY_POLICY|UNREACHABLE/) });
      const created = await fairlead.gql('CreateConnectionType', { input: { team: 'default', displayName: 'Metadata', serverUrl, authMethod: 'NONE', allowUnreachable: data.probeServer.verdict === 'REFUSED_BY_POLICY' } });
      expect(created.data.createConnectionType).toMatchObject({ connectionType: null, userErrors: [{ code: 'SERVER_REFUSED', field: ['input', 'serverUrl'] }] });
    });

  it('a server that sends us on to ourselves gets nothing of it', async () => {
    for (const port of await own()) {
      const serverUrl = hostile.url(`/redirect?status=307&to=${encodeURIComponent(`http://127.0.0.1:${port}/graphql`)}`);
      const { data } = await fairlead.gql('Probe', { input: { team: 'default', serverUrl } });
      expect(data.probeServer.verdict).toMatch(/NOT_MCP|REFUSED_BY_POLICY/);
    }
  });

  it('a server on this machine over plain HTTP is what it is for', async () => {
    const { connectionType } = await fairlead.must('CreateConnectionType', { team: 'default', displayName: 'Local', serverUrl: mcp.url, authMethod: 'NONE' });
    await fairlead.must('Enroll', { connectionTypeId: connectionType.id });
    const { toolCall } = await fairlead.must('CallTool', { connectionType: 'local', tool: 'echo', arguments: { nonce: 'n-1' } });
    expect([toolCall.status, toolCall.content[0].text]).toEqual(['SUCCEEDED', expect.stringContaining('n-1')]);
  });
});

describe('a process that ends', () => {
  let mcp: GatedServer;

  beforeEach(async () => {
    state = await LocalState.create();
    const tools = ['slow', 'quick'].map((name) => ({ name, inputSchema: { type: 'object' } }));
    mcp = await startGated((call) => (call.tool === 'quick' ? { content: [{ type: 'text', text: 'quickly' }] } : undefined), tools);
  });
  afterEach(async () => {
    await state.remove();
    await mcp.close();
  });

  async function connect(fairlead: LocalFairlead): Promise<void> {
    const { connectionType } = await fairlead.must('CreateConnectionType', { team: 'default', displayName: 'Gated', serverUrl: mcp.url, authMethod: 'ACCESS_TOKEN' });
    await fairlead.must('Enroll', { connectionTypeId: connectionType.id, accessToken: CREDENTIAL });
  }
  const call = (input: object) => ({ connectionType: 'gated', arguments: {}, ...input });

  it('by kill -9 starts again on the same state: the token works, the credential opens, and the call that ran says so and isn\'t made again', async () => {
    const first = await state.start();
    await connect(first);
    const running = (await first.must('CallTool', call({ tool: 'slow', idempotencyKey: 'running', wait: false }))).toolCall;
    await mcp.arrived(1);
    const done = (await first.must('CallTool', call({ tool: 'quick', idempotencyKey: 'done' }))).toolCall;
    expect([running.status, done.status]).toEqual(['RUNNING', 'SUCCEEDED']);
    const leftover = await databasePid();
    first.child.process.kill('SIGKILL');
    await first.child.ended;

    const second = await state.start();
    expect(second.token).toBe(first.token);
    await until(() => !alive(leftover));
    const found = (await second.gql('ToolCall', { id: running.id })).data.toolCall;
    expect(found).toMatchObject({ status: 'OUTCOME_UNKNOWN', error: { retryable: false, message: expect.stringContaining('may have run') } });
    const repeated = (await second.must('CallTool', call({ tool: 'slow', idempotencyKey: 'running' }))).toolCall;
    expect(repeated).toMatchObject({ id: running.id, status: 'OUTCOME_UNKNOWN' });
    expect((await second.must('CallTool', call({ tool: 'quick', idempotencyKey: 'done' }))).toolCall).toMatchObject({ id: done.id, content: [{ text: 'quickly' }] });
    expect(mcp.calls.map(({ tool }) => tool)).toEqual(['slow', 'quick']);

    expect((await second.must('CallTool', call({ tool: 'quick' }))).toolCall.status).toBe('SUCCEEDED');
    expect(mcp.calls.at(-1)!.authorization).toBe(`Bearer ${CREDENTIAL}`);
  });

  it('by SIGTERM leaves nothing running, lets a call that runs finish, and waits for nothing else', async () => {
    // Longer than the test may take.
    const metricsPort = await freePort();
    const fairlead = await state.start({ FAIRLEAD_SHUTDOWN_TIMEOUT_MS: '120000', FAIRLEAD_METRICS_PORT: String(metricsPort) });
    const probe = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${metricsPort}${path}`);
      return [response.status, await response.json()];
    };
    await connect(fairlead);
    expect(await probe('/readyz')).toEqual([200, { status: 'ok', checks: { database: 'ok' } }]);
    const answer = fairlead.must('CallTool', call({ tool: 'slow' }));
    const arrived = await mcp.arrived(1);
    const database = await databasePid();
    fairlead.child.process.kill('SIGTERM');
    while (await fetch(`${fairlead.url}/readyz`).then(({ status }) => status === 200, () => false)) await sleep(5);
    // To callers it is gone; a kubelet goes on hearing that it lives, and that nothing new is for it.
    expect(await probe('/readyz')).toEqual([503, { status: 'not ready', checks: { process: 'closing' } }]);
    expect(await probe('/healthz')).toEqual([200, { status: 'ok' }]);
    arrived.answer();
    expect((await answer).toolCall.status).toBe('SUCCEEDED');
    expect(await fairlead.child.ended).toEqual({ code: 0, signal: null });
    expect(alive(database)).toBe(false);
    expect(await readPostmaster(state.data)).toBe(null);
    expect(fairlead.child.errors.filter((line) => !line.startsWith('{') || (JSON.parse(line) as { level: number }).level >= 40)).toEqual([]);
  });

  it('leaves a second start on its state alone, which says who is there', async () => {
    const first = await state.start();
    const second = state.spawn();
    expect((await second.ended).code).toBe(1);
    expect(second.errors.join('\n')).toMatch(new RegExp(`^Process ${first.child.pid} \\(since .*\\) is already running on ${state.path}`, 'm'));
    expect((await raw(first.port, { headers: { authorization: `Bearer ${first.token}` }, body: BODY })).status).toBe(200);
  });
});

describe('where it isn\'t local', () => {
  beforeEach(async () => { state = await LocalState.create(); });
  afterEach(() => state.remove());

  it('a HOST that others reach ends the allowance for servers on this machine', async () => {
    const mcp = await startMinimal();
    const port = await freePort();
    const fairlead = await state.start({ HOST: '0.0.0.0', PORT: String(port), FAIRLEAD_PUBLIC_URL: 'http://fairlead.example.com' }, `http://127.0.0.1:${port}`);
    const { data } = await fairlead.gql('Probe', { input: { team: 'default', serverUrl: mcp.url } });
    expect(data.probeServer.verdict).toBe('REFUSED_BY_POLICY');
    expect((await raw(port, { headers: { authorization: `Bearer ${fairlead.token}`, origin: 'http://localhost:3000' }, body: BODY })).status).toBe(403);
    expect(mcp.seen).toEqual([]);
    await mcp.close();
  });

  it('DATABASE_URL switches the embedded PostgreSQL off', async () => {
    await rm(join(state.path, 'postgres'), { recursive: true });
    const database = await createDatabase(MIGRATED);
    const fairlead = await state.start({ DATABASE_URL: database.url });
    expect((await fairlead.gql('{ viewer { displayName } }', {})).data.viewer.displayName).toBe('Local administrator');
    expect(await readdir(state.path)).not.toContain('postgres');
    const { data } = await fairlead.gql('Probe', { input: { team: 'default', serverUrl: `http://${new URL(database.url).host}/` } });
    expect(data.probeServer.verdict).toBe('REFUSED_BY_POLICY');
    fairlead.child.process.kill('SIGTERM');
    expect((await fairlead.child.ended).code).toBe(0);
    await database.drop();
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { startTestApi, type TestApi } from '#test/support/api.js';
import { ChangeableServer } from '#test/support/mcp-servers/changeable.js';

let api: TestApi;
let server: ChangeableServer;
beforeAll(async () => { [api, server] = await Promise.all([startTestApi(), ChangeableServer.start()]); });
afterAll(async () => {
  await api.stop();
  await server.stop();
});

interface Seen { type: string; status: string; reason: string; message: string; lastTransitionTime: string; observedGeneration: number }
let count = 0;
let id: string;
const create = async (values: object = {}): Promise<string> => (
  id = (await api.must('CreateConnectionType', { input: { team: 'default', displayName: `Type ${++count}`, serverUrl: server.url, authMethod: 'NONE', ...values } })).connectionType.id);
const check = async () => (await api.must('CheckConnectionType', { input: { id } })).connectionType;
const condition = (type: { conditions: Seen[] }, name: string): Seen => type.conditions.find((one) => one.type === name)!;
const times = (type: { conditions: Seen[] }) => Object.fromEntries(type.conditions.map((one) => [one.type, one.lastTransitionTime]));

beforeEach(async () => {
  await server.start().catch(() => undefined);
  Object.assign(server, { credential: null, name: 'changeable', tools: [{ name: 'echo', inputSchema: { type: 'object' } }] });
});

describe('checkConnectionType', () => {
  it('says that a server is down, and that it is up again', async () => {
    await create();
    const up = await check();
    await server.stop();
    const down = await check();
    expect(down.state).toBe('UNREACHABLE');
    expect(condition(down, 'Reachable')).toMatchObject({ status: 'FALSE', reason: 'Unreachable', message: expect.stringMatching(/./) });
    expect(condition(down, 'Ready')).toMatchObject({ status: 'FALSE' });
    expect(condition(down, 'Stalled')).toMatchObject({ status: 'FALSE' });
    // A short outage takes nobody's tools away.
    expect(condition(down, 'ToolsSynced')).toEqual(condition(up, 'ToolsSynced'));
    expect(down).toMatchObject({ server: up.server, protocolVersion: up.protocolVersion });
    await server.start();
    expect(condition(await check(), 'Reachable')).toMatchObject({ status: 'TRUE', reason: 'Answered' });
  });

  it('says that a server is there and its list can\'t be read, and keeps what was read before', async () => {
    await create();
    await check();
    const tools = await everything('tools', '*');
    server.tools = 'none today' as never;
    const broken = await check();
    expect(broken.state).toBe('READY');
    expect(await everything('tools', '*')).toEqual(tools);
    expect(condition(broken, 'ToolsSynced')).toMatchObject({ status: 'FALSE', reason: 'NotListed', message: expect.stringMatching(/could not be listed: .*without a list of tools.*has to mend/) });
    expect((await check()).conditions).toEqual(broken.conditions);
    server.tools = [{ name: 'echo', inputSchema: { type: 'object' } }];
    expect(condition(await check(), 'ToolsSynced')).toMatchObject({ status: 'TRUE', reason: 'Read' });
  });

  it('moves transition times only with the status, and writes nothing but times the second time', async () => {
    await create();
    const first = await check();
    await server.stop();
    const down = await check();
    const again = await check();
    expect(again.conditions).toEqual(down.conditions);
    expect(Object.entries(times(down)).filter(([type, time]) => times(first)[type] !== time).map(([type]) => type).sort()).toEqual(['Reachable', 'Ready']);
    const rows = async () => everything('connection_type_status', 'conditions, era, protocol_version, server_name, server_version, tools_source');
    const before = [await rows(), await everything('tools', '*'), await everything('connection_types', '*')];
    await check();
    expect([await rows(), await everything('tools', '*'), await everything('connection_types', '*')]).toEqual(before);
  });

  it('says that a type which sends no credential is misconfigured when its server begins to want one', async () => {
    await create();
    server.credential = { header: 'authorization', values: ['Bearer x'] };
    const type = await check();
    expect(type.state).toBe('MISCONFIGURED');
    expect(condition(type, 'Reachable')).toMatchObject({ status: 'TRUE' });
    expect(condition(type, 'Stalled')).toMatchObject({ status: 'TRUE', reason: 'CredentialWanted', message: expect.stringContaining('ACCESS_TOKEN') });
  });

  it('notices a server that turned into something else, and back', async () => {
    await create();
    server.tools = [{ name: 'late', inputSchema: { type: 'object' } }];
    server.name = 'renamed';
    expect((await check()).server).toEqual({ name: 'renamed', version: '1.0.0' });
  });

  it('takes what a server says as data, however odd', async () => {
    await create();
    server.name = 'nul \u0000 half \ud800';
    server.tools = [{ name: 'odd', description: 'nul \u0000 half \ud800', inputSchema: { type: 'object', 'key\u0000': 1 } }, { name: 'half\ud800', inputSchema: { type: 'object' } }];
    for (const description of ['again \u0000', 'and \udc00 again']) {
      expect((await check()).state).toBe('READY');
      server.tools[0]!.description = description;
    }
    const { toolCount } = await api.must('query ($id: ID!) { connectionType(id: $id) { toolCount } }', { id });
    expect(toolCount).toBe(1);
  });

  it('by many at once is one reading of the tools', async () => {
    await create();
    server.tools = Array.from({ length: 20 }, (_, index) => ({ name: `tool-${index}`, inputSchema: { type: 'object' } }));
    const answers = await Promise.all(Array.from({ length: 6 }, () => api.gql('CheckConnectionType', { input: { id } })));
    expect(answers.flatMap((answer) => answer.errors)).toEqual([]);
    expect((await api.must('query ($id: ID!) { connectionType(id: $id) { toolCount } }', { id })).toolCount).toBe(20);
  });

  it('twice in one request answers with what was seen each time', async () => {
    await create();
    const document = `mutation ($input: CheckConnectionTypeInput!) {
      first: checkConnectionType(input: $input) { connectionType { lastCheckedAt } } second: checkConnectionType(input: $input) { connectionType { lastCheckedAt } } }`;
    const { first, second } = (await api.gql(document, { input: { id } })).data;
    expect(Date.parse(second.connectionType.lastCheckedAt)).toBeGreaterThan(Date.parse(first.connectionType.lastCheckedAt));
  });
});

describe('a call', () => {
  it('that finds a server down makes the type due', async () => {
    await create();
    await api.must('Enroll', { input: { connectionTypeId: id } });
    await server.stop();
    const { toolCall } = await api.must('CallTool', { input: { connectionTypeId: id, tool: 'echo' } });
    expect(toolCall).toMatchObject({ status: 'FAILED', error: { code: 'UNREACHABLE', retryable: true } });
    // No operator runs here: test/integration/operator.spec.ts shows that it looks.
    const marked = async () => (await everything('reconcile_schedule', `id, kind, dirty > 1 and due <= now() as marked`) as { kind: string; marked: boolean }[]).filter(({ kind }) => kind === 'ConnectionType').at(-1)?.marked;
    while ((await marked()) !== true);
  });
});

async function everything(table: string, columns: string): Promise<unknown[]> {
  const client = new Client({ connectionString: api.databaseUrl });
  await client.connect();
  const { rows } = await client.query(`select ${columns} from ${table} order by 1`);
  await client.end();
  return rows;
}

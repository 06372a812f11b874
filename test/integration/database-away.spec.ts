import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MIGRATED, startTestApi, type TestApi } from '#test/support/api.js';
import { openDatabaseNetwork, type DatabaseNetwork } from '#test/support/database-network.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';
import { until } from '#test/support/mcp-servers/until.js';

const UNAVAILABLE = { code: 'UNAVAILABLE', retryable: true, retryAfterMs: 1000, requestId: expect.any(String) };

describe('while the database is away', () => {
  let database: TestDatabase;
  let network: DatabaseNetwork;
  let server: MinimalServer;
  let api: TestApi;
  const call = (more: object = {}) => api.gql('CallTool', { input: { connectionType: 'stock', tool: server.tools[0]!.name, arguments: {}, ...more } });

  beforeAll(async () => {
    database = await createDatabase(MIGRATED);
    network = await openDatabaseNetwork(database.url);
    server = await startMinimal();
    api = await startTestApi({ database: { url: network.url, drop: () => database.drop() } });
    const { connectionType } = await api.must('CreateConnectionType', { input: { team: 'default', displayName: 'Stock', serverUrl: server.url, authMethod: 'NONE' } });
    await api.must('Enroll', { input: { connectionTypeId: connectionType.id } });
  });
  afterAll(async () => {
    network?.mend();
    await api?.stop();
    await server?.close();
    await network?.close();
    await database?.drop();
  });
  beforeEach(() => network.mend());

  it('queries and mutations say so, that they may be tried again, and when; and work again when it is back', async () => {
    network.cut();
    for (const answer of [await api.gql('Catalog', { team: 'default' }), await api.gql('CreateTeam', { input: { slug: 'other', displayName: 'Other' } })]) {
      expect(answer.errors).toEqual([expect.objectContaining({ message: expect.stringContaining('database does not answer. Try again'), extensions: UNAVAILABLE })]);
    }
    network.mend();
    await until(async () => (await api.gql('Catalog', { team: 'default' })).errors.length === 0);
  });

  it('so do calls of tools, and none is answered as done that isn\'t on record', async () => {
    await until(async () => (await call()).data?.callTool?.toolCall?.status === 'SUCCEEDED');
    network.cut();
    for (const more of [{}, { idempotencyKey: 'once' }]) {
      const answer = await call(more);
      expect(answer.data?.callTool ?? null).toBeNull();
      expect(answer.errors).toEqual([expect.objectContaining({ extensions: UNAVAILABLE })]);
    }
    network.mend();
    await until(async () => (await call({ idempotencyKey: 'once' })).data?.callTool?.toolCall?.status === 'SUCCEEDED');
  });

  it('who isn\'t known yet is answered 503 with Retry-After, not that their token is wrong', async () => {
    const { secret } = await api.must('CreateToken', { input: { team: 'default', name: 'new' } });
    network.cut();
    const response = await fetch(`${api.url}/graphql`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` }, body: JSON.stringify({ query: '{ viewer { member { id } } }' }),
    });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: UNAVAILABLE }] });
  });

  it('the log says what it is, and nothing is called a fault of ours', () => {
    const messages = api.logs().map((line) => (JSON.parse(line) as { msg: string }).msg);
    expect(messages).toContain('the database does not answer');
    expect(messages).not.toContain('masked an internal error');
  });
});

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestApi, type TestApi } from '#test/support/api.js';
import { startMinimal, type MinimalServer } from '#test/support/mcp-servers/minimal.js';

let api: TestApi;
let server: MinimalServer;
beforeAll(async () => {
  [api, server] = await Promise.all([startTestApi(), startMinimal()]);
});
afterAll(async () => {
  await Promise.all([api?.stop(), server?.close()]);
});

it('several mutations in one request each answer with what they left behind', async () => {
  const { connectionType } = await api.must('CreateConnectionType', { input: { team: 'default', displayName: 'Minimal', serverUrl: server.url, authMethod: 'NONE' } });
  const { data, errors } = await api.gql(/* GraphQL */ `
    mutation ($id: ID!) {
      first: checkConnectionType(input: { id: $id }) { connectionType { lastCheckedAt toolCount version } }
      moved: updateConnectionType(input: { id: $id, expectedVersion: 1, serverUrl: "http://127.0.0.1:9/mcp", allowUnreachable: true }) { connectionType { state lastCheckedAt version } userErrors { message } }
      enrolled: enroll(input: { connectionTypeId: $id }) { enrollment { state connectionType { version serverUrl } } userErrors { message } }
    }`, { id: connectionType.id });
  expect(errors).toEqual([]);
  expect(data.first.connectionType).toMatchObject({ version: 1, toolCount: 1 });
  expect(data.moved).toMatchObject({ connectionType: { state: 'UNREACHABLE', version: 2 }, userErrors: [] });
  expect(data.enrolled).toMatchObject({ enrollment: { state: 'UNREACHABLE', connectionType: { version: 2, serverUrl: 'http://127.0.0.1:9/mcp' } } });
});

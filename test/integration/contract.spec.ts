import { startTestApi, type TestApi } from '#test/support/api.js';
import { startEverything, type EverythingServer } from '#test/support/mcp-servers/everything.js';

let api: TestApi;
let everything: EverythingServer;
beforeAll(async () => {
  [api, everything] = await Promise.all([startTestApi(), startEverything()]);
});
afterAll(async () => {
  await Promise.all([api?.stop(), everything?.close()]);
});

describe('people', () => {
  it('are members with tokens of their own', async () => {
    const manager = await api.member('MANAGER');
    const { connectionType } = await manager.must('CreateConnectionType', { input: { team: 'default', displayName: 'Everything', serverUrl: everything.url, authMethod: 'NONE' } });
    const ada = await api.member('MEMBER', { subject: 'ada' });
    await ada.must('Enroll', { input: { connectionTypeId: connectionType.id } });
    const { toolCall } = await ada.must('CallTool', { input: { connectionType: 'everything', tool: 'echo', arguments: { message: 'hi' } } });
    expect(toolCall).toMatchObject({ status: 'SUCCEEDED', content: [{ text: 'Echo: hi' }] });
    expect(api.logs().length).toBeGreaterThan(0);
  });
});

import { startTestApi, type TestApi } from '#test/support/api.js';
import { Person } from '#test/support/consent/person.js';
import { startSdkDemo, type SdkDemo } from '#test/support/oauth-servers/sdk-demo.js';
import { openStore } from '#test/support/open-store.js';

/** The journeys at the SDK's demo server: registration without management, no refresh tokens, no revocation. */
let api: TestApi;
let demo: SdkDemo;

beforeAll(async () => {
  [api, demo] = await Promise.all([startTestApi(), startSdkDemo()]);
});

afterAll(async () => {
  await Promise.all([api?.stop(), demo?.close()]);
});

const greet = () => api.must('CallTool', { input: { connectionType: 'demo', tool: 'greet', arguments: { name: 'Ada' } } });

async function consent(url: string): Promise<string> {
  const person = new Person();
  return (await person.follow(await person.press(await person.get(url), 'continue'))).text;
}

it('A login at the SDK\'s demo server is consented to, called with, asks for consent when it has expired, and is deleted with a word on what remains', async () => {
  const probe = await api.must('Probe', { input: { team: 'default', serverUrl: demo.url } });
  expect(probe.oauth).toMatchObject({ outcome: 'AUTOMATIC', issuer: demo.issuer, registrationMethods: ['PREREGISTERED', 'DYNAMIC'] });
  const { connectionType } = await api.must('CreateConnectionType', { input: { team: 'default', displayName: 'Demo', serverUrl: demo.url, authMethod: 'OAUTH' } });
  expect(connectionType).toMatchObject({ state: 'READY', oauth: { issuer: demo.issuer, registrationMethod: 'DYNAMIC', clientSecretExpiresAt: expect.any(String) } });

  const { enrollment, authorization } = await api.must('Enroll', { input: { connectionTypeId: connectionType.id } });
  expect(await consent(authorization.url)).toContain('Demo is connected');
  expect((await greet()).toolCall).toMatchObject({ status: 'SUCCEEDED', content: [{ text: 'Hello, Ada!' }] });
  const { enrollment: fresh } = await api.must('RefreshEnrollment', { input: { id: enrollment.id } });
  expect(fresh).toMatchObject({ state: 'READY', credential: { lastRefreshAt: null, refreshAt: null } });
  expect(fresh.conditions.find((one: { type: string }) => one.type === 'Fresh')).toMatchObject({ status: 'FALSE', reason: 'NotRefreshable' });

  await using store = await openStore(api.databaseUrl);
  await store.manager.query(`update oauth_grants set expires_at = clock_timestamp() - interval '1 second'`);
  await api.must('CheckConnectionType', { input: { id: connectionType.id } });
  const { data } = await api.gql('CallTool', { input: { connectionType: 'demo', tool: 'greet', arguments: { name: 'Ada' } } });
  expect(data.callTool).toMatchObject({ toolCall: null, userErrors: [{ code: 'ACTION_REQUIRED', action: { url: expect.stringContaining('/enroll/default/demo') } }] });
  const again = await api.must('StartAuthorization', { input: { enrollmentId: enrollment.id } });
  expect(await consent(again.authorization.url)).toContain('Demo is connected');
  expect((await greet()).toolCall).toMatchObject({ status: 'SUCCEEDED' });

  expect((await api.must('DeleteEnrollment', { input: { id: enrollment.id } })).revocation).toMatchObject({ outcome: 'NOT_SUPPORTED', message: expect.stringContaining('can be ended in its own settings') });
  expect(await api.must('DeleteConnectionType', { input: { id: connectionType.id } })).toMatchObject({ deletedId: connectionType.id });
});

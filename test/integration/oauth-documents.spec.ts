import { startTestApi, type TestApi } from '#test/support/api.js';
import { Person } from '#test/support/consent/person.js';
import { startDocumentHost, type DocumentHost } from '#test/support/oauth-servers/document-host.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';

/** A client that nobody registers: the provider reads our metadata document over HTTPS, from where an administrator shows it to the world. */
let host: DocumentHost;
let provider: OidcProviderServer;
let api: TestApi;

beforeAll(async () => {
  host = await startDocumentHost(() => `${api.url}/.well-known/fairlead-client.json`);
  [provider, api] = await Promise.all([startOidcProvider({ readsDocuments: true }), startTestApi({ env: { FAIRLEAD_CLIENT_METADATA_URL: host.url } })]);
});

afterAll(async () => {
  await Promise.all([api?.stop(), provider?.close(), host?.close()]);
});

it('A real provider reads our client metadata document, and people log in, are renewed and revoked as its public client', async () => {
  const probe = await api.must('Probe', { input: { team: 'default', serverUrl: provider.mcp.url } });
  expect(probe.oauth).toMatchObject({ outcome: 'AUTOMATIC', registrationMethods: ['PREREGISTERED', 'METADATA_DOCUMENT', 'DYNAMIC'] });
  const { connectionType } = await api.must('CreateConnectionType', { input: { team: 'default', displayName: 'Warehouse', serverUrl: provider.mcp.url, authMethod: 'OAUTH' } });
  expect(connectionType).toMatchObject({ state: 'READY', oauth: { registrationMethod: 'METADATA_DOCUMENT', clientId: host.url } });

  const { enrollment, authorization } = await api.must('Enroll', { input: { connectionTypeId: connectionType.id } });
  const person = new Person();
  const end = await person.follow(await person.press(await person.get(authorization.url), 'continue'));
  expect(end.text).toContain('Warehouse is connected');
  expect(host.reads).toBeGreaterThan(0);
  const { toolCall } = await api.must('CallTool', { input: { connectionType: 'warehouse', tool: 'echo', arguments: { message: 'hello' } } });
  expect(toolCall).toMatchObject({ status: 'SUCCEEDED' });
  expect(await api.must('RefreshEnrollment', { input: { id: enrollment.id } })).toMatchObject({ enrollment: { state: 'READY', credential: { failedRefreshes: 0, lastRefreshAt: expect.any(String) } } });
  expect((await api.must('DeleteEnrollment', { input: { id: enrollment.id } })).revocation).toMatchObject({ outcome: 'REVOKED' });

  expect(provider.presentations.map(({ path, status, clientId, secretInBody, authorization: credentials }) => ({ path, status, clientId, secretInBody, credentials }))).toEqual(
    ['/token', '/token', '/token/revocation', '/token/revocation'].map((path) => ({ path, status: 200, clientId: host.url, secretInBody: false, credentials: null })),
  );
});

it('A provider that can\'t read the document for a while costs a login, and not the client: consent works again when it can', async () => {
  const { connectionType } = await api.must('CreateConnectionType', { input: { team: 'default', displayName: 'Archive', serverUrl: provider.mcp.url, authMethod: 'OAUTH' } });
  const { enrollment, authorization } = await api.must('Enroll', { input: { connectionTypeId: connectionType.id } });
  const person = new Person();
  await person.follow(await person.press(await person.get(authorization.url), 'continue'));
  host.down = true;
  const { data } = await api.gql('RefreshEnrollment', { input: { id: enrollment.id } });
  expect(data.refreshEnrollment.userErrors).toMatchObject([{ code: 'ACTION_REQUIRED', message: expect.stringContaining('invalid_client') }]);
  expect((await api.must('CheckConnectionType', { input: { id: connectionType.id } })).connectionType).toMatchObject({ state: 'READY', oauth: { registrationMethod: 'METADATA_DOCUMENT' } });

  host.down = false;
  const again = await api.must('StartAuthorization', { input: { enrollmentId: enrollment.id } });
  expect((await person.follow(await person.press(await person.get(again.authorization.url), 'continue'))).text).toContain('Archive is connected');
  expect((await api.must('CallTool', { input: { connectionType: 'archive', tool: 'echo', arguments: { message: 'hello' } } })).toolCall).toMatchObject({ status: 'SUCCEEDED' });
});

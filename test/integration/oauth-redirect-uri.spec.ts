import { startTestApi, MIGRATED, type TestApi } from '#test/support/api.js';
import { Person } from '#test/support/consent/person.js';
import { createDatabase, type TestDatabase } from '#test/support/database.js';
import { until } from '#test/support/mcp-servers/until.js';
import type { Faults } from '#test/support/oauth-servers/faults.js';
import { startFaultyAuthorizationServer, type FaultyServer } from '#test/support/oauth-servers/faulty-server.js';
import { startOidcProvider, type OidcProviderServer } from '#test/support/oauth-servers/oidc-provider.js';

/** An installation that is started again under another public URL: clients at issuers are bound to a redirect URI, logins are not. */
let database: TestDatabase;
let provider: OidcProviderServer;
let before: TestApi;
let after: TestApi;
const servers: FaultyServer[] = [];
const types: Record<string, { id: string; name: string; login: string }> = {};

beforeAll(async () => {
  [database, provider] = await Promise.all([createDatabase(MIGRATED), startOidcProvider()]);
  before = await startTestApi({ database });
  await connected('dynamic', provider.mcp.url);
  await connected('by-hand', (await faulty({})).mcp.url, { clientId: 'by-hand', clientSecret: 'se-cr_et' });
  for (const name of ['down', 'many', 'refused']) await connected(name, (await faulty({})).mcp.url);
  await before.stop();
  after = await startTestApi({ database, keys: before.keys });
});

afterAll(async () => {
  await after?.stop();
  await Promise.all([provider, ...servers].map((server) => server.close()));
  await database.drop();
});

async function faulty(faults: Faults): Promise<FaultyServer> {
  const server = await startFaultyAuthorizationServer({ faults });
  servers.push(server);
  return server;
}

async function connected(name: string, serverUrl: string, oauth?: object): Promise<void> {
  const { connectionType } = await before.must('CreateConnectionType', { input: { team: 'default', displayName: name, serverUrl, authMethod: 'OAUTH', ...(oauth === undefined ? {} : { oauth }) } });
  const { enrollment, authorization } = await before.must('Enroll', { input: { connectionTypeId: connectionType.id } });
  if (oauth !== undefined) servers.at(-1)!.clients.set('by-hand', { client_id: 'by-hand', client_secret: 'se-cr_et', registration_access_token: '', metadata: { token_endpoint_auth_method: 'client_secret_basic' } });
  expect((await consent(authorization.url)).text).toContain('is connected');
  types[name] = { id: connectionType.id, name, login: enrollment.id };
}

async function consent(url: string) {
  const person = new Person();
  const sent = await person.press(await person.get(url), 'continue');
  return { redirectUri: sent.location === null ? null : new URL(sent.location).searchParams.get('redirect_uri'), text: (await person.follow(sent)).text };
}

const as = (operation: string, input: object) => after.must(operation, { input });
// oxlint-disable-next-line typescript/no-explicit-any -- tests reach into answers of any shape
const ask = async (operation: string, input: object): Promise<any> => Object.values((await after.gql(operation, { input })).data)[0];
const enroll = (name: string, label: string) => ask('Enroll', { connectionTypeId: types[name]!.id, label });
const registrations = (server: FaultyServer) => server.seen.filter(({ method, path }) => method === 'POST' && path === '/register').length;
const serverOf = (name: string) => servers[['by-hand', 'down', 'many', 'refused'].indexOf(name)]!;
const registered = (type: { conditions: { type: string }[] }) => type.conditions.find((one) => one.type === 'Registered');

describe('A client that was registered', () => {
  it('is followed by one of the new redirect URI at the first consent, and not only at the next check', async () => {
    const { authorization, userErrors } = await enroll('dynamic', 'second');
    expect(userErrors).toEqual([]);
    const { redirectUri, text } = await consent(authorization.url);
    expect(redirectUri).toBe(`${after.url}/oauth/callback`);
    expect(text).toContain('is connected');
    expect(provider.presentations.filter(({ path, method }) => path === '/reg' && method === 'POST')).toHaveLength(2);
  });

  it('goes on serving the logins that were issued to it: they are renewed, and revoked', async () => {
    const { id, name, login } = types['dynamic']!;
    const { enrollment } = await as('RefreshEnrollment', { id: login });
    expect(enrollment).toMatchObject({ state: 'READY', credential: { lastRefreshAt: expect.any(String), failedRefreshes: 0 } });
    await as('CheckConnectionType', { id });
    expect(await as('RefreshEnrollment', { id: login })).toMatchObject({ enrollment: { state: 'READY', credential: { failedRefreshes: 0 } } });
    const revoked = await as('DeleteEnrollment', { id: login });
    expect([name, revoked.revocation.outcome]).toEqual(['dynamic', 'REVOKED']);
  });

  it('is asked for once by many who consent at once; who comes too early is told to try again', async () => {
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((label) => enroll('many', label)));
    expect(registrations(serverOf('many'))).toBe(2);
    for (const { userErrors } of answers) expect(userErrors.filter((error: { code: string; retryable: boolean }) => error.code !== 'SERVER_REFUSED' || !error.retryable)).toEqual([]);
    expect((await enroll('many', 'e')).userErrors).toEqual([]);
    expect(registrations(serverOf('many'))).toBe(2);
  });

  it('that can\'t be replaced now is tried again, and nobody is sent to the provider meanwhile', async () => {
    const server = serverOf('down');
    server.faults = { registration: '503' };
    const refused = await enroll('down', 'second');
    expect(refused).toMatchObject({ enrollment: null, authorization: null, userErrors: [{ code: 'SERVER_REFUSED', retryable: true }] });
    expect(await as('RefreshEnrollment', { id: types['down']!.login })).toMatchObject({ enrollment: { state: 'READY', credential: { failedRefreshes: 0 } } });
    server.faults = {};
    expect((await as('CheckConnectionType', { id: types['down']!.id })).connectionType).toMatchObject({ state: 'READY', oauth: { registrationMethod: 'DYNAMIC', redirectUri: `${after.url}/oauth/callback` } });
    expect((await enroll('down', 'second')).userErrors).toEqual([]);
  });

  it('that the issuer won\'t replace waits for a manager, who is told the redirect URI', async () => {
    serverOf('refused').faults = { registration: 'refuse' };
    const { userErrors: [error] } = await ask('StartAuthorization', { enrollmentId: types['refused']!.login });
    expect(error).toMatchObject({ code: 'CLIENT_REQUIRED', message: expect.stringContaining(`${after.url}/oauth/callback`) });
    expect(await as('RefreshEnrollment', { id: types['refused']!.login })).toMatchObject({ enrollment: { state: 'READY', credential: { failedRefreshes: 0 } } });
  });
});

describe('A client that a manager entered', () => {
  it('waits until they have registered the new redirect URI for it, and say so by naming it again; its secret and its logins stay', async () => {
    const { id, login } = types['by-hand']!;
    const other = { code: 'CLIENT_REQUIRED', message: expect.stringContaining(`${after.url}/oauth/callback`) };
    expect(await enroll('by-hand', 'second')).toMatchObject({ enrollment: null, userErrors: [other] });
    expect(await ask('StartAuthorization', { enrollmentId: login })).toMatchObject({ authorization: null, userErrors: [other] });
    const { connectionType } = await as('CheckConnectionType', { id });
    expect(connectionType.state).toBe('ACTION_REQUIRED');
    expect(registered(connectionType)).toMatchObject({ status: 'FALSE', reason: 'RedirectUriChanged', message: other.message });
    expect(await as('RefreshEnrollment', { id: login })).toMatchObject({ enrollment: { state: 'READY', credential: { failedRefreshes: 0 } } });

    const updated = await as('UpdateConnectionType', { id, expectedVersion: connectionType.version, oauth: { clientId: 'by-hand' } });
    expect(updated.connectionType).toMatchObject({ state: 'READY', oauth: { registrationMethod: 'PREREGISTERED', clientId: 'by-hand' } });
    const { authorization } = await as('StartAuthorization', { enrollmentId: login });
    const end = await consent(authorization.url);
    expect(end).toMatchObject({ redirectUri: `${after.url}/oauth/callback`, text: expect.stringContaining('is connected') });
    expect(await as('RefreshEnrollment', { id: login })).toMatchObject({ enrollment: { state: 'READY' } });
  });
});

it('A page that was opened before the change leads to the provider with the client of the new redirect URI', async () => {
  const { authorization } = await as('Enroll', { connectionTypeId: types['many']!.id, label: 'opened' });
  const person = new Person();
  const page = await person.get(authorization.url);
  await after.stop();
  after = await startTestApi({ database, keys: before.keys });
  const url = page.url.replace(/^http:\/\/[^/]+/, after.url);
  const sent = await person.press(await person.get(url), 'continue');
  expect(new URL(sent.location!).searchParams.get('redirect_uri')).toBe(`${after.url}/oauth/callback`);
  await until(() => registrations(serverOf('many')) === 3);
  expect((await person.follow(sent)).text).toContain('is connected');
});
